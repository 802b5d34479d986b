-- output: feature_counts
-- grain:  feature
-- inputs: centres, paper_effects, protein_effects
-- params: none
-- what:   On how many clusters each feature is strong enough on a residue that a structure shows, on how many
--         of them there is something to compare, and what it is on average; and the paper's proteins.
with
strong as (
    select feature, count(*) as n_clusters
    from centres
    group by feature
),

compared as (
    select
        feature,
        count(*) as n_proteins,
        avg(contact order by protein_id) as contact,
        avg(control order by protein_id) as control,
        avg(neighbour order by protein_id) as neighbour
    from protein_effects
    group by feature
),

published as (
    select feature, count(*) as paper_n_proteins
    from paper_effects
    group by feature
)

select
    coalesce(s.feature, p.feature) as feature,
    coalesce(s.n_clusters, 0) as n_clusters,
    coalesce(c.n_proteins, 0) as n_proteins,
    c.contact,
    c.control,
    c.neighbour,
    coalesce(p.paper_n_proteins, 0) as paper_n_proteins
from strong as s
left join compared as c on s.feature = c.feature
full outer join published as p on s.feature = p.feature
