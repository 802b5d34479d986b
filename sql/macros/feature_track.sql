-- output: feature_track
-- grain:  position
-- inputs: activations, features, proteins
-- params: $wanted_sae VARCHAR        SAE
--         $wanted_feature INTEGER    feature, 0-based
--         $wanted_accession VARCHAR  protein
-- what:   One feature along one protein: the residues where it is active, with the normalised activation.
select
    a.position,
    substr(p.sequence, a.position, 1) as amino_acid,
    a.value,
    (a.value / nullif(f.max_activation, 0))::float as activation
from activations as a
inner join proteins as p on a.protein_id = p.protein_id
inner join features as f on a.sae = f.sae and a.feature = f.feature
where
    a.sae = $wanted_sae
    and a.feature = $wanted_feature
    and p.accession = $wanted_accession
    and a.protein_id = (select q.protein_id from proteins as q where q.accession = $wanted_accession)
order by a.position
