-- output: sampled_activations
-- grain:  residue, feature
-- inputs: sampled_residues, activations, features
-- params: $sae VARCHAR   SAE
--         $cut FLOAT     strict lower bound on normalised activation
-- what:   What is active on the sampled residues. A level is the normalised activation in whole 4096ths, so
--         that sums of levels and of their products are exact, in whatever order they are added.
select
    r.residue,
    r.protein_id,
    a.feature,
    floor((a.value / f.max_activation)::float * 4096::double + 0.5) as level
from activations as a
inner join sampled_residues as r on a.protein_id = r.protein_id and a.position = r.position
inner join features as f on a.sae = f.sae and a.feature = f.feature
where a.sae = $sae and (a.value / nullif(f.max_activation, 0))::float > $cut::float
