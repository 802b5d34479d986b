-- output: example_residues
-- grain:  feature, protein_id, position
-- inputs: activations, chosen_examples, features
-- params: $sae VARCHAR         SAE
--         $features INTEGER[]  features
--         $presence FLOAT      strict lower bound on normalised activation that counts as present
-- what:   The residues of examples that are shown on which a feature is present.
select
    a.feature,
    a.protein_id,
    a.position,
    substr(c.sequence, a.position, 1) as amino_acid,
    (a.value / nullif(f.max_activation, 0))::float as activation
from activations as a
inner join chosen_examples as c on a.feature = c.feature and a.protein_id = c.protein_id
inner join features as f on a.sae = f.sae and a.feature = f.feature
where
    a.sae = $sae
    and list_contains($features, a.feature)
    and c.side = 'shown'
    and (a.value / nullif(f.max_activation, 0))::float > $presence::float
