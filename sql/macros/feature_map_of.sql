-- output: feature_map_of
-- grain:  feature
-- inputs: feature_map, feature_clusters, feature_meanings, feature_stats, feature_shapes
-- params: $wanted_sae VARCHAR   SAE
--         $k INTEGER = 5000     number of features at most
-- what:   The map of an SAE's features by decoder direction: where each lies, its cluster with the cluster's
--         label, what it finds on held-out proteins, how common it is and its shape along the sequence.
--         Beyond k, those that find a concept come first, then a draw of the others.
select
    p.feature,
    p.x,
    p.y,
    p.cluster,
    c.label,
    c.n_members,
    m.concept,
    m.category,
    m.test_f1_per_domain,
    s.n_proteins,
    s.pct_proteins,
    h.shape,
    h.period
from feature_map as p
left join feature_clusters($wanted_sae) as c on p.cluster = c.cluster
left join feature_meanings as m on p.sae = m.sae and p.feature = m.feature
left join feature_stats as s on p.sae = s.sae and p.feature = s.feature
left join feature_shapes as h on p.sae = h.sae and p.feature = h.feature
where p.sae = $wanted_sae
order by
    m.concept is null asc,
    (p.feature::bigint * 1103515245) % 2147483647 asc,
    p.feature asc
limit $k
