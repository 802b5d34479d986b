-- output: feature_periods
-- grain:  sae, feature
-- inputs: feature_runs
-- params: none
-- what:   How far apart the runs of a feature start on one protein: the two commonest distances.
with
starts as (
    select
        sae,
        feature,
        start - lag(start) over (partition by sae, feature, protein_id order by start asc) as distance
    from feature_runs
),

distances as (
    select
        sae,
        feature,
        distance,
        count(*) as n_times
    from starts
    where distance is not null
    group by sae, feature, distance
),

ranked as (
    select
        sae,
        feature,
        distance,
        n_times,
        row_number() over (partition by sae, feature order by n_times desc, distance asc) as place
    from distances
)

select
    sae,
    feature,
    max(case when place = 1 then distance end) as period,
    100 * sum(case when place = 1 then n_times end)::bigint / sum(n_times)::double as pct_period,
    max(case when place = 2 then distance end) as second_period,
    100 * sum(case when place <= 2 then n_times end)::bigint / sum(n_times)::double as pct_both_periods
from ranked
group by sae, feature
