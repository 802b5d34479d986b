-- output: measure_correlations
-- grain:  measure
-- inputs: measure_values
-- params: none
-- what:   Correlation of each number with the measured effect: Spearman's, of ranks where equal values share
--         the mean of theirs, and Pearson's; NULL where one of the two is constant.
with
ranked as (
    select
        *,
        rank() over (partition by measure order by x)
        + (count(*) over (partition by measure, x) - 1) / 2.0::double as rank_x,
        rank() over (partition by measure order by measured)
        + (count(*) over (partition by measure, measured) - 1) / 2.0::double as rank_measured
    from measure_values
),

correlated as (
    select
        measure,
        count(*) as n_variants,
        count(*) filter (where x <> 0) as n_changed,
        count(distinct position) as n_positions,
        corr(rank_x, rank_measured) as spearman,
        corr(x, measured) as pearson
    from ranked
    group by measure
)

select
    measure,
    n_variants,
    n_changed,
    n_positions,
    case when not isnan(spearman) then spearman end as spearman,
    case when not isnan(pearson) then pearson end as pearson
from correlated
order by measure
