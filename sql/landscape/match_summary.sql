-- output: match_summary
-- grain:  one row
-- inputs: level_sums, chance_values, matched_pairs
-- params: none
-- what:   Features of the first SAE that were compared; of them, those with a match beyond chance, and of
--         those, whose match has them as its best.
with
matched as (
    select
        m.feature,
        m.other_rank = 1 as is_mutual
    from matched_pairs as m
    inner join chance_values as c on m.feature = c.feature
    where m.rank = 1 and not c.is_other and c.q_value < 0.05
)

select
    (select count(*) from level_sums where draw = 0 and not is_other) as n_compared,
    count(*) as n_matched,
    count(*) filter (where is_mutual) as n_mutual
from matched
