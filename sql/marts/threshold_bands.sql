-- output: threshold_bands
-- grain:  band
-- inputs: thresholds
-- params: none
-- what:   The thresholds in bands of five side by side, as FLOAT, so that an activation is compared with
--         all five at once; infinity where there are fewer.
select
    ((rank - 1) // 5)::integer as band,
    coalesce(max(case when (rank - 1) % 5 = 0 then threshold end), 'infinity'::double)::float as t1,
    coalesce(max(case when (rank - 1) % 5 = 1 then threshold end), 'infinity'::double)::float as t2,
    coalesce(max(case when (rank - 1) % 5 = 2 then threshold end), 'infinity'::double)::float as t3,
    coalesce(max(case when (rank - 1) % 5 = 3 then threshold end), 'infinity'::double)::float as t4,
    coalesce(max(case when (rank - 1) % 5 = 4 then threshold end), 'infinity'::double)::float as t5
from thresholds
group by (rank - 1) // 5
