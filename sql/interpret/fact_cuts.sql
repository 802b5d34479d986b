-- output: fact_cuts
-- grain:  feature
-- inputs: chosen_examples, fact_values
-- params: none
-- what:   Of each feature the fact, and the cut of its value, that tells best on the proteins that are shown
--         how strong it is: the highest correlation of being above the cut with the highest activation; and
--         the median activation on either side, which is what is predicted there.
with
shown as (
    select v.feature, v.protein_id, v.fact, v.value, e.activation
    from fact_values as v
    inner join chosen_examples as e on v.feature = e.feature and v.protein_id = e.protein_id
    where e.side = 'shown'
),

cuts as (
    select distinct feature, fact, value as cut
    from shown
),

sides as (
    select
        c.feature,
        c.fact,
        c.cut,
        s.activation,
        (s.value > c.cut)::integer as is_above
    from cuts as c
    inner join shown as s on c.feature = s.feature and c.fact = s.fact
),

weighed as (
    select
        feature,
        fact,
        cut,
        median(case when is_above = 1 then activation end)::double as above,
        median(case when is_above = 0 then activation end)::double as below,
        -- Pearson's r with a value of 0 or 1, from sums of decimals, which have no order.
        (
            count(*) * sum(case when is_above = 1 then activation::decimal(18, 9) end)::double
            - sum(is_above)::bigint * sum(activation::decimal(18, 9))::double
        )
        / nullif(sqrt(sum(is_above)::bigint * (count(*) - sum(is_above)::bigint)::double), 0) as weight
    from sides
    group by feature, fact, cut
    having sum(is_above) >= 3 and count(*) - sum(is_above) >= 3
)

select feature, fact, cut, above, below
from weighed
where above > below and weight > 0
qualify
    row_number() over (
        partition by feature
        order by
            weight desc,
            case fact when 'concept' then 1 when 'word' then 2 else 3 end asc,
            cut asc
    ) = 1
