-- output: feature_amino_acids_partial
-- grain:  sae, feature, amino_acid
-- inputs: activations, features, residues
-- params: $sae VARCHAR            SAE
--         $first_protein INTEGER  first protein of the block
--         $last_protein INTEGER   last protein of the block
--         $presence FLOAT         strict lower bound on normalised activation that counts as present
-- what:   Residues of each letter where a feature is present, in one block of proteins.
select
    $sae as sae,
    a.feature,
    r.amino_acid,
    count(*) as n_residues,
    null::double as enrichment
from activations as a
inner join features as f on a.feature = f.feature
inner join residues as r on a.protein_id = r.protein_id and a.position = r.position
where
    a.sae = $sae
    and f.sae = $sae
    and a.protein_id between $first_protein and $last_protein
    and r.protein_id between $first_protein and $last_protein
    and (a.value / nullif(f.max_activation, 0))::float > $presence::float
group by a.feature, r.amino_acid
