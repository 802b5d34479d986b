-- output: protein_keys
-- grain:  sequence_md5
-- inputs: protein_sound, protein_known
-- params: none
-- what:   What decides the split of a sequence: its cluster if any protein with that sequence has one
--         (the one in the warehouse, else the first in the input), else the sequence itself. Where a
--         cluster stands on several sides already, a sequence that the warehouse has stays on its side.
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
),

divided as (
    select cluster
    from protein_known
    where cluster is not null
    group by cluster
    having count(distinct split) > 1
)

select
    c.sequence_md5,
    c.cluster,
    case
        when d.cluster is not null and c.sequence_md5 in (select sequence_md5 from protein_known)
            then 'sequence ' || c.sequence_md5
        else coalesce('cluster ' || c.cluster, 'sequence ' || c.sequence_md5)
    end as split_key
from clustered as c
left join divided as d on c.cluster = d.cluster
