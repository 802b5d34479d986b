-- output: other_activations
-- grain:  draw, residue, feature
-- inputs: shifted_residues, activations, features
-- params: $other_sae VARCHAR  the other SAE
-- what:   What is active, in another SAE, beside the sampled residues; levels as of sampled_activations.
select
    r.draw,
    r.residue,
    r.protein_id,
    a.feature,
    floor((a.value / f.max_activation)::float * 4096::double + 0.5) as level
from activations as a
inner join shifted_residues as r on a.protein_id = r.protein_id and a.position = r.position
inner join features as f on a.sae = f.sae and a.feature = f.feature
where a.sae = $other_sae and (a.value / nullif(f.max_activation, 0))::float > 0::float
