-- output: chance_values
-- grain:  is_other, feature
-- inputs: level_sums, chance_best, matched_pairs
-- params: none
-- what:   How far the best correlation of each feature stands above its best ones by chance, and how often
--         chance itself stands as far above the other draws of the same feature: p_value, over all features
--         of the SAE. Correlations are compared as atanh; to the spread between draws the median spread of
--         all features, 0.01 at least, is added, so that one whose draws happen to be alike does not seem
--         beyond chance.
with
features as (
    select is_other, feature
    from level_sums
    where draw = 0
),

draws as (
    select distinct draw
    from level_sums
    where draw > 0
),

-- In whole 1048576ths, whose sums are exact in whatever order they are added.
chance as (
    select
        f.is_other,
        f.feature,
        d.draw,
        floor(greatest(coalesce(c.value, 0), 0) * 1048576 + 0.5) / 1048576 as value,
        floor(atanh(least(greatest(coalesce(c.value, 0), 0), 0.999999)) * 1048576 + 0.5) / 1048576 as z
    from features as f
    cross join draws as d
    left join chance_best as c on f.is_other = c.is_other and f.feature = c.feature and d.draw = c.draw
),

moments as (
    select
        is_other,
        feature,
        sum(value) / count(*) as null_mean,
        max(value) as null_highest,
        count(*) as n,
        sum(z) as total,
        sum(z * z) as squares,
        sqrt(greatest(sum(z * z) - sum(z) ** 2 / count(*), 0) / (count(*) - 1))
            as spread
    from chance
    group by is_other, feature
),

usual as (
    select is_other, greatest(median(spread), 0.01) as spread
    from moments
    group by is_other
),

best as (
    select false as is_other, feature, value
    from matched_pairs
    where rank = 1
    union all
    select true as is_other, other_feature as feature, value
    from matched_pairs
    where other_rank = 1
),

-- A draw is compared with the others of its feature, what is observed with all of them.
compared as (
    select
        c.is_other,
        c.feature,
        true as is_chance,
        (c.z - (m.total - c.z) / (m.n - 1)) / (
            sqrt(greatest((m.squares - c.z ** 2 - (m.total - c.z) ** 2 / (m.n - 1)) / (m.n - 2), 0))
            + u.spread
        ) as distance
    from chance as c
    inner join moments as m on c.is_other = m.is_other and c.feature = m.feature
    inner join usual as u on c.is_other = u.is_other
    union all
    select
        b.is_other,
        b.feature,
        false as is_chance,
        (atanh(least(b.value, 0.999999)) - m.total / m.n) / (m.spread + u.spread) as distance
    from best as b
    inner join moments as m on b.is_other = m.is_other and b.feature = m.feature
    inner join usual as u on b.is_other = u.is_other
),

placed as (
    select
        is_other,
        feature,
        is_chance,
        count(*) filter (where is_chance) over (partition by is_other order by distance desc) as n_beyond,
        count(*) filter (where is_chance) over (partition by is_other) as n_chance
    from compared
),

judged as (
    select
        is_other,
        feature,
        (1 + n_beyond) / (1 + n_chance)::double as p_value
    from placed
    where not is_chance
),

tests as (
    select is_other, count(*) as n_tests
    from features
    group by is_other
),

-- A feature without any pair counts as tested, with a p_value of 1.
ranked as (
    select
        j.is_other,
        j.feature,
        j.p_value,
        t.n_tests,
        count(*) over (partition by j.is_other order by j.p_value asc) as place
    from judged as j
    inner join tests as t on j.is_other = t.is_other
)

select
    r.is_other,
    r.feature,
    m.null_mean,
    m.null_highest,
    r.p_value,
    least(min(r.p_value * r.n_tests / r.place) over (partition by r.is_other order by r.p_value desc), 1)
        as q_value
from ranked as r
inner join moments as m on r.is_other = m.is_other and r.feature = m.feature
