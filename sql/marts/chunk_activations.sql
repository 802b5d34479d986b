-- output: chunk_activations
-- grain:  place, feature
-- inputs: activations, block_proteins, features
-- params: $sae VARCHAR            SAE
--         $first_protein INTEGER  first protein of the chunk
--         $last_protein INTEGER   last protein of the chunk
-- what:   The activations of a chunk of a block, normalised; NULL where the scale of the feature is 0.
select
    p.first_place + a.position as place,
    a.feature,
    (a.value / nullif(f.max_activation, 0))::float as activation
from activations as a
inner join features as f on a.feature = f.feature
inner join block_proteins as p on a.protein_id = p.protein_id
where a.sae = $sae and f.sae = $sae and a.protein_id between $first_protein and $last_protein
