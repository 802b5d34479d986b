-- output: block_bins
-- grain:  place, feature
-- inputs: block_activations, threshold_cuts
-- params: none
-- what:   How many of the thresholds each activation of a block passes: each is compared once.
select
    a.place,
    a.feature,
    case
        when a.activation <= c.t1 then 0
        when a.activation <= c.t2 then 1
        when a.activation <= c.t3 then 2
        when a.activation <= c.t4 then 3
        when a.activation <= c.t5 then 4
        when a.activation <= c.t6 then 5
        when a.activation <= c.t7 then 6
        when a.activation <= c.t8 then 7
        when a.activation <= c.t9 then 8
        when a.activation <= c.t10 then 9
        else 10
    end as n_passed
from block_activations as a
cross join threshold_cuts as c
where a.activation is not null
