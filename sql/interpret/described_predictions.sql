-- output: described_predictions
-- grain:  feature, accession
-- inputs: chosen_examples, eligible_proteins, fact_cuts, fact_values
-- params: none
-- what:   What the facts told of a feature predict on the proteins that are scored; where none tells
--         anything, the median of those that are shown.
with
medians as (
    select feature, median(activation)::double as middle
    from chosen_examples
    where side = 'shown'
    group by feature
)

select
    e.feature,
    p.accession,
    least(
        1,
        coalesce(case when v.value > c.cut then c.above when v.value <= c.cut then c.below end, m.middle, 0)
    )::double as predicted
from chosen_examples as e
inner join eligible_proteins as p on e.protein_id = p.protein_id
left join medians as m on e.feature = m.feature
left join fact_cuts as c on e.feature = c.feature
left join fact_values as v
    on e.feature = v.feature and e.protein_id = v.protein_id and c.fact = v.fact
where e.side = 'scored'
