-- output: encodings
-- grain:  protein_id
-- inputs: control_blocks, control_counts
-- params: $folder VARCHAR           folder of the parts, in the warehouse
--         $package_version VARCHAR  version of interplm-wh
-- what:   The proteins that a control made from residues has taken in, each with the part of its rows.
select
    b.protein_id,
    format('{}/part-{:05d}.parquet', $folder, b.block) as part,
    b.length as n_residues,
    coalesce(c.n_activations, 0) as n_activations,
    'float32' as dtype,
    false as is_halved,
    $package_version as package_version
from control_blocks as b
left join control_counts as c on b.protein_id = c.protein_id
