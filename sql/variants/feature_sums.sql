-- output: feature_sums
-- grain:  feature, position
-- inputs: feature_values, measured_variants
-- params: none
-- what:   What correlations are made of: sums over the variants of one position of the ranks of a feature's
--         change and of the measured effect, each less the middle rank. Most variants leave a feature as it
--         is; these share one rank, so that only the others are looked at one by one.
with
effects as (
    select
        variant,
        position,
        measured,
        rank() over (order by measured) + (count(*) over (partition by measured) - 1) / 2.0::double
        - (count(*) over () + 1) / 2.0::double as rank_measured,
        count(*) over () as n_all
    from measured_variants
),

positions as (
    select
        position,
        any_value(n_all) as n_all,
        count(*) as n,
        sum(rank_measured) as sum_y,
        sum(rank_measured * rank_measured) as sum_yy,
        sum(measured) as sum_measured,
        sum(measured * measured) as sum_measured_2
    from effects
    group by position
),

changed as (
    select
        v.feature,
        v.position,
        v.x,
        e.measured,
        e.rank_measured as y,
        rank() over (partition by v.feature order by v.x)
        + (count(*) over (partition by v.feature, v.x) - 1) / 2.0::double
        + case when v.x > 0 then e.n_all - count(*) over (partition by v.feature) else 0 end
        - (e.n_all + 1) / 2.0::double as rank_x
    from feature_values as v
    inner join effects as e on v.variant = e.variant
),

unchanged as (
    select
        c.feature,
        count(*) as n_changed,
        count(*) filter (where c.x < 0) as n_less
    from changed as c
    group by c.feature
),

of_position as (
    select
        feature,
        position,
        count(*) as n,
        sum(rank_x) as sum_x,
        sum(rank_x * rank_x) as sum_xx,
        sum(rank_x * y) as sum_xy,
        sum(y) as sum_y,
        sum(x) as sum_change,
        sum(x * x) as sum_change_2,
        sum(x * measured) as sum_change_measured
    from changed
    group by feature, position
),

middles as (
    select
        u.feature,
        u.n_changed,
        p.*,
        u.n_less + (p.n_all - u.n_changed + 1) / 2.0::double - (p.n_all + 1) / 2.0::double as rank_unchanged
    from unchanged as u
    cross join positions as p
)

select
    m.feature,
    m.position,
    m.n_changed,
    m.n,
    coalesce(o.sum_x, 0) + (m.n - coalesce(o.n, 0)) * m.rank_unchanged as sum_x,
    coalesce(o.sum_xx, 0) + (m.n - coalesce(o.n, 0)) * m.rank_unchanged * m.rank_unchanged as sum_xx,
    coalesce(o.sum_xy, 0) + (m.sum_y - coalesce(o.sum_y, 0)) * m.rank_unchanged as sum_xy,
    m.sum_y,
    m.sum_yy,
    coalesce(o.sum_change, 0) as sum_change,
    coalesce(o.sum_change_2, 0) as sum_change_2,
    coalesce(o.sum_change_measured, 0) as sum_change_measured,
    m.sum_measured,
    m.sum_measured_2
from middles as m
left join of_position as o on m.feature = o.feature and m.position = o.position
