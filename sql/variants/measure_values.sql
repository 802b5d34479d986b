-- output: measure_values
-- grain:  measure, variant
-- inputs: measured_variants
-- params: none
-- what:   The numbers that are set beside the measured effect, one a row.
select
    'total_change' as measure,
    variant,
    position,
    total_change as x,
    measured
from measured_variants
union all
select
    'site_change' as measure,
    variant,
    position,
    site_change as x,
    measured
from measured_variants
union all
select
    'log_odds' as measure,
    variant,
    position,
    log_odds as x,
    measured
from measured_variants
where log_odds is not null
