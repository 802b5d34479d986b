-- output: encodings
-- grain:  protein_id
-- inputs: activation_blocks
-- params: $folder VARCHAR           folder of the parts, in the warehouse
--         $package_version VARCHAR  version of interplm-wh
-- what:   The proteins that count as encoded, each with the part that holds its rows.
select
    protein_id,
    format('{}/part-{:05d}.parquet', $folder, block) as part,
    length as n_residues,
    n_positive as n_activations,
    'float32' as dtype,
    false as is_halved,
    $package_version as package_version
from activation_blocks
