-- output: cluster_faults
-- grain:  fault
-- inputs: cluster_members, proteins
-- params: none
-- what:   What keeps clusters from being taken: rows without a name, proteins in two clusters, and one
--         sequence in two.
with
known as (
    select
        p.accession,
        md5(p.sequence) as sequence_md5,
        m.cluster
    from cluster_members as m
    inner join proteins as p on m.member = p.accession
),

faults as (
    select
        format('row {}: no name of a protein or of its cluster', row) as fault,
        0 as kind,
        row as place
    from cluster_members
    where coalesce(member, '') = '' or coalesce(cluster, '') = ''
    union all
    select
        format('{} is in {} and in {}', accession, min(cluster), max(cluster)) as fault,
        1 as kind,
        0 as place
    from known
    group by accession
    having min(cluster) <> max(cluster)
    union all
    select
        format(
            '{} and {} have the same sequence and are in {} and {}',
            arg_min(accession, (cluster, accession)),
            arg_max(accession, (cluster, accession)),
            min(cluster),
            max(cluster)
        ) as fault,
        2 as kind,
        0 as place
    from known
    group by sequence_md5
    having min(cluster) <> max(cluster) and count(distinct accession) > 1
)

select fault
from faults
order by kind, place, fault
