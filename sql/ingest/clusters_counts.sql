-- output: cluster_counts
-- grain:  one row
-- inputs: cluster_members, protein_clusters, proteins
-- params: none
-- what:   What a new division into clusters and splits comes to.
with
keys as (
    select
        split_key,
        any_value(cluster) as cluster,
        count(*) as n_proteins,
        count(*) filter (where split <> 'train') as n_held_out,
        count(*) filter (where split = 'train') as n_train,
        count(distinct split) filter (where split <> 'train') as n_sides
    from protein_clusters
    group by split_key
)

select
    (select count(*) from protein_clusters) as n_proteins,
    count(*) as n_clusters,
    coalesce(max(n_proteins), 0)::bigint as n_largest,
    arg_max(cluster, (n_proteins, cluster)) as largest,
    (select count(*) from protein_clusters where not is_named) as n_unnamed,
    (
        select count(distinct m.member) from cluster_members as m
        anti join proteins as p on m.member = p.accession
    ) as n_unknown,
    coalesce(sum(n_held_out) filter (where n_train > 0), 0)::bigint as n_train_relatives,
    count(*) filter (where n_sides > 1) as n_divided,
    (select count(*) from protein_clusters where split <> old_split) as n_changed,
    (select count(*) from protein_clusters where cluster is distinct from old_cluster) as n_clusters_changed
from keys
