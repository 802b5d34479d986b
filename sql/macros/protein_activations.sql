-- output: protein_activations
-- grain:  feature, position
-- inputs: activations, features, proteins
-- params: $wanted_sae VARCHAR        SAE
--         $wanted_accession VARCHAR  protein
-- what:   Every feature that is active on one protein, residue by residue, with the normalised activation.
select
    a.feature,
    a.position,
    substr(p.sequence, a.position, 1) as amino_acid,
    a.value,
    (a.value / nullif(f.max_activation, 0))::float as activation
from activations as a
inner join proteins as p on a.protein_id = p.protein_id
inner join features as f on a.sae = f.sae and a.feature = f.feature
where
    a.sae = $wanted_sae
    and p.accession = $wanted_accession
    and a.protein_id = (select q.protein_id from proteins as q where q.accession = $wanted_accession)
order by a.feature, a.position
