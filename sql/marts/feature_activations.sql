-- output: feature_activations
-- grain:  sae, accession, position, feature
-- inputs: activations, features, proteins
-- params: none
-- what:   Every stored activation with the accession, the letter and the normalised activation.
select
    a.sae,
    p.accession,
    a.position,
    substr(p.sequence, a.position, 1) as amino_acid,
    a.feature,
    a.value,
    (a.value / nullif(f.max_activation, 0))::float as activation
from activations as a
inner join features as f on a.sae = f.sae and a.feature = f.feature
inner join proteins as p on a.protein_id = p.protein_id
