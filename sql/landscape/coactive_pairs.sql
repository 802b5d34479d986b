-- output: coactive_pairs
-- grain:  feature, rank
-- inputs: sampled_activations, pair_counts
-- params: $k INTEGER  pairs of each feature at most
-- what:   The features that are active together with each the most: of the residues with either, those with
--         both.
with
active as (
    select feature, count(*) as n_residues
    from sampled_activations
    group by feature
),

directed as (
    select feature, other_feature, n_both
    from pair_counts
    union all
    select other_feature as feature, feature as other_feature, n_both
    from pair_counts
),

shared as (
    select
        d.feature,
        d.other_feature,
        d.n_both,
        d.n_both / (a.n_residues + b.n_residues - d.n_both)::double as value
    from directed as d
    inner join active as a on d.feature = a.feature
    inner join active as b on d.other_feature = b.feature
)

select
    feature,
    other_feature,
    n_both,
    value,
    (row_number() over (partition by feature order by value desc, other_feature asc))::integer as rank
from shared
qualify row_number() over (partition by feature order by value desc, other_feature asc) <= $k
