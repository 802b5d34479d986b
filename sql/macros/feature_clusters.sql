-- output: feature_clusters
-- grain:  cluster
-- inputs: feature_map, feature_meanings
-- params: $wanted_sae VARCHAR   SAE
--         $most_q DOUBLE = 0.05  a label is at most this unlikely by chance
-- what:   The clusters of the map of an SAE, each with the concept that its features find more often than
--         the other features on the map do: p_value is that of so many by chance (hypergeometric), q_value is
--         corrected for all clusters and concepts (Benjamini and Hochberg). Two features must find it at
--         least; an amino acid is named only where nothing else is. What a feature finds is its best concept
--         on held-out proteins; the label is NULL where no concept stands out.
with
placed as (
    select
        p.feature,
        p.cluster,
        m.concept,
        m.is_amino_acid,
        count(*) over () as n_all
    from feature_map as p
    left join feature_meanings as m on p.sae = m.sae and p.feature = m.feature
    where p.sae = $wanted_sae
),

clusters as (
    select
        cluster,
        count(*) as n_members,
        count(concept) as n_with_concept
    from placed
    where cluster is not null
    group by cluster
),

everywhere as (
    select
        concept,
        count(*) as n_finding,
        any_value(n_all) as n_all
    from placed
    where concept is not null
    group by concept
),

here as (
    select
        p.cluster,
        p.concept,
        any_value(p.is_amino_acid) as is_amino_acid,
        count(*) as n_finding
    from placed as p
    where p.cluster is not null and p.concept is not null
    group by p.cluster, p.concept
),

-- ln of: choose i of the k features that find it, and the rest of the n members among the others.
terms as (
    select
        h.cluster,
        h.concept,
        t.i,
        lgamma(e.n_finding + 1) - lgamma(t.i + 1) - lgamma(e.n_finding - t.i + 1)
        + lgamma(e.n_all - e.n_finding + 1) - lgamma(c.n_members - t.i + 1)
        - lgamma(e.n_all - e.n_finding - c.n_members + t.i + 1)
        - lgamma(e.n_all + 1) + lgamma(c.n_members + 1) + lgamma(e.n_all - c.n_members + 1) as log_chance
    from here as h
    inner join clusters as c on h.cluster = c.cluster
    inner join everywhere as e on h.concept = e.concept
    cross join unnest(range(h.n_finding, least(c.n_members, e.n_finding) + 1)) as t (i)
    where e.n_all - e.n_finding - c.n_members + t.i >= 0
),

tested as (
    select
        cluster,
        concept,
        least(sum(exp(log_chance) order by i desc), 1) as p_value
    from terms
    group by cluster, concept
),

ranked as (
    select
        cluster,
        concept,
        p_value,
        count(*) over () as n_tests,
        count(*) over (order by p_value asc) as place
    from tested
),

corrected as (
    select
        cluster,
        concept,
        p_value,
        least(min(p_value * n_tests / place) over (order by p_value desc), 1) as q_value
    from ranked
),

labels as (
    select
        c.cluster,
        c.concept,
        h.n_finding,
        c.p_value,
        c.q_value
    from corrected as c
    inner join here as h on c.cluster = h.cluster and c.concept = h.concept
    where h.n_finding >= 2 and c.q_value < $most_q
    qualify
        row_number() over (
            partition by c.cluster
            order by h.is_amino_acid asc, c.p_value asc, h.n_finding desc, c.concept asc
        ) = 1
)

select
    c.cluster,
    c.n_members,
    c.n_with_concept,
    l.concept as label,
    l.n_finding as n_with_label,
    l.n_finding / c.n_members::double as label_share,
    l.p_value,
    l.q_value
from clusters as c
left join labels as l on c.cluster = l.cluster
order by c.cluster
