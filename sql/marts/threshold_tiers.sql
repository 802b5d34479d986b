-- output: threshold_tiers
-- grain:  n_passed, tier
-- inputs: thresholds
-- params: none
-- what:   Thresholds in pairs. What an activation that passes n_passed thresholds adds to the count of
--         a pair: 1 for the lower one, 2^31 for the upper one, so that one sum counts both.
select
    p.rank as n_passed,
    (t.rank - 1) // 2 as tier,
    sum(1::bigint << (31 * ((t.rank - 1) % 2)))::bigint as weight
from thresholds as p
inner join thresholds as t on p.rank >= t.rank
group by p.rank, (t.rank - 1) // 2
