-- output: features_partial
-- grain:  sae, feature
-- inputs: activations, proteins
-- params: $sae VARCHAR            SAE
--         $first_protein INTEGER  first protein of the block
--         $last_protein INTEGER   last protein of the block
--         $scale_source VARCHAR   all, valid (its split alone) or checkpoint (nothing is read)
-- what:   The highest raw value of each feature in one block, over the proteins that set the scale.
select
    $sae as sae,
    a.feature,
    max(a.value) as max_activation,
    null::float as decoder_norm
from activations as a
inner join proteins as p on a.protein_id = p.protein_id
where
    a.sae = $sae
    and a.protein_id between $first_protein and $last_protein
    and ($scale_source = 'all' or p.split = $scale_source)
group by a.feature
