-- output: protein_clusters
-- grain:  protein_id
-- inputs: cluster_members, proteins
-- params: $seed BIGINT          seed of the draw
--         $keep_splits BOOLEAN  whether splits stay as they are
-- what:   The new cluster and split of every protein. Proteins with one sequence share a cluster. The key is
--         the cluster, else the sequence; the last hex digit of md5('seed:key') makes half of the keys valid
--         and half test. What was trained on stays so.
with
given as (
    select
        member,
        any_value(cluster) as cluster
    from cluster_members
    group by member
),

named as (
    select
        p.protein_id,
        p.sequence,
        p.cluster as old_cluster,
        p.split as old_split,
        g.cluster is not null as is_named,
        min(g.cluster) over (partition by md5(p.sequence)) as cluster
    from proteins as p
    left join given as g on p.accession = g.member
)

select
    protein_id,
    cluster,
    case
        when $keep_splits or old_split = 'train' then old_split
        when substr(md5($seed || ':' || coalesce(cluster, sequence)), 32, 1) < '8' then 'valid'
        else 'test'
    end as split,
    coalesce('cluster ' || cluster, 'sequence ' || md5(sequence)) as split_key,
    old_cluster,
    old_split,
    is_named
from named
