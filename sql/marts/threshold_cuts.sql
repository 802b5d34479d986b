-- output: threshold_cuts
-- grain:  t1
-- inputs: thresholds
-- params: none
-- what:   The thresholds side by side, as FLOAT, so that an activation is compared with all at once;
--         infinity where there are fewer than ten.
select
    coalesce(max(case when rank = 1 then threshold end), 'infinity'::double)::float as t1,
    coalesce(max(case when rank = 2 then threshold end), 'infinity'::double)::float as t2,
    coalesce(max(case when rank = 3 then threshold end), 'infinity'::double)::float as t3,
    coalesce(max(case when rank = 4 then threshold end), 'infinity'::double)::float as t4,
    coalesce(max(case when rank = 5 then threshold end), 'infinity'::double)::float as t5,
    coalesce(max(case when rank = 6 then threshold end), 'infinity'::double)::float as t6,
    coalesce(max(case when rank = 7 then threshold end), 'infinity'::double)::float as t7,
    coalesce(max(case when rank = 8 then threshold end), 'infinity'::double)::float as t8,
    coalesce(max(case when rank = 9 then threshold end), 'infinity'::double)::float as t9,
    coalesce(max(case when rank = 10 then threshold end), 'infinity'::double)::float as t10
from thresholds
