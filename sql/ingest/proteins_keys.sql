-- output: protein_keys
-- grain:  sequence_md5
-- inputs: protein_sound, protein_known
-- params: none
-- what:   What decides the split of a sequence: its cluster if any protein with that sequence has one
--         (the one in the warehouse, else the first in the input), else the sequence itself.
with
every as (
    select
        sequence_md5,
        cluster,
        -1 as file,
        protein_id as row
    from protein_known
    union all
    select
        sequence_md5,
        cluster,
        file,
        row
    from protein_sound
),

clustered as (
    select
        sequence_md5,
        arg_min(cluster, (file, row)) filter (where cluster is not null) as cluster
    from every
    group by sequence_md5
)

select
    sequence_md5,
    cluster,
    coalesce('cluster ' || cluster, 'sequence ' || sequence_md5) as split_key
from clustered
