-- output: feature_coactivation
-- grain:  chosen, rank
-- inputs: activations, features, protein_features, feature_stats, encodings, settings, feature_meanings
-- params: $wanted_sae VARCHAR          SAE
--         $wanted_features INTEGER[]   features, 0-based
--         $k INTEGER = 20              features beside each at most
-- what:   The features that are present on the same residues as some chosen ones, counted exactly over all
--         encoded residues: jaccard is the share of residues with both among those with either, phi the
--         correlation of being present. Only proteins that have a chosen feature are read.
with
presence as (
    select value::float as cut
    from settings
    where setting = 'presence'
),

total as (
    select sum(n_residues)::double as n
    from encodings
    where sae = $wanted_sae
),

counts as (
    select feature, n_residues
    from feature_stats
    where sae = $wanted_sae
),

active as materialized (
    select
        a.protein_id,
        a.position,
        a.feature
    from activations as a
    inner join features as f on a.sae = f.sae and a.feature = f.feature
    where
        a.sae = $wanted_sae
        and a.protein_id in (
            select p.protein_id
            from protein_features as p
            where p.sae = $wanted_sae and list_contains($wanted_features, p.feature) and p.n_residues > 0
        )
        and (a.value / nullif(f.max_activation, 0))::float > (select p.cut from presence as p)
),

met as (
    select
        a.feature as chosen,
        b.feature,
        count(*) as n_both
    from active as a
    inner join active as b
        on a.protein_id = b.protein_id and a.position = b.position and a.feature != b.feature
    where list_contains($wanted_features, a.feature)
    group by a.feature, b.feature
),

judged as (
    select
        j.chosen,
        j.feature,
        j.n_both,
        c.n_residues as n_chosen,
        o.n_residues,
        j.n_both / (c.n_residues + o.n_residues - j.n_both)::double as jaccard,
        (t.n * j.n_both - c.n_residues::double * o.n_residues) / nullif(
            sqrt(c.n_residues::double * o.n_residues * (t.n - c.n_residues) * (t.n - o.n_residues)), 0
        ) as phi
    from met as j
    inner join counts as c on j.chosen = c.feature
    inner join counts as o on j.feature = o.feature
    cross join total as t
)

select
    j.chosen,
    (row_number() over (partition by j.chosen order by j.jaccard desc, j.feature asc))::integer as rank,
    j.feature,
    j.jaccard,
    j.phi,
    j.n_both,
    j.n_chosen,
    j.n_residues,
    m.concept
from judged as j
left join feature_meanings as m on j.feature = m.feature and m.sae = $wanted_sae
qualify row_number() over (partition by j.chosen order by j.jaccard desc, j.feature asc) <= $k
order by j.chosen, rank
