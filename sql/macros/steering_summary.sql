-- output: steering_summary
-- grain:  run, dose, is_touched
-- inputs: steering_runs, steering_effects, steering_controls
-- params: $wanted_sae VARCHAR  SAE
-- what:   What steering did at positions that were edited and at those that were not: means over all
--         measured positions, and beside them the controls at the watched ones. kl_percentile is the share
--         of controls whose mean divergence there is lower, in percent, equal ones counted half;
--         p_true_percentile is that of the change of the true residue's probability, with its sign. Between
--         control_low and control_high lie nine of ten controls.
with
effects as (
    select
        run,
        dose,
        is_touched,
        count(*) as n_positions,
        avg(kl) as kl,
        avg(p_true_before) as p_true_before,
        avg(p_true_after) as p_true_after,
        count(*) filter (where top_after <> top_before) as n_top_changed,
        sqrt(sum(delta_norm * delta_norm)) as delta_norm
    from steering_effects
    where sae = $wanted_sae
    group by run, dose, is_touched
),

watched as (
    select
        run,
        dose,
        is_touched,
        control,
        count(*) as n_watched,
        avg(kl) as kl,
        avg(p_true_after - p_true_before) as p_true_change
    from steering_controls
    where sae = $wanted_sae
    group by run, dose, is_touched, control
),

compared as (
    select
        c.run,
        c.dose,
        c.is_touched,
        count(*) as n_controls,
        any_value(own.n_watched) as n_watched,
        any_value(own.kl) as watched_kl,
        any_value(own.p_true_change) as watched_p_true_change,
        100 * avg(case when c.kl < own.kl then 1 when c.kl = own.kl then 0.5 else 0 end) as kl_percentile,
        100 * avg(
            case
                when c.p_true_change < own.p_true_change then 1
                when c.p_true_change = own.p_true_change then 0.5
                else 0
            end
        ) as p_true_percentile,
        quantile_cont(c.kl, 0.05) as control_low,
        median(c.kl) as control_median,
        quantile_cont(c.kl, 0.95) as control_high,
        avg(c.p_true_change) as control_p_true_change
    from watched as c
    inner join watched as own
        on c.run = own.run and c.dose = own.dose and c.is_touched = own.is_touched and own.control = 0
    where c.control > 0
    group by c.run, c.dose, c.is_touched
)

select
    r.run,
    r.features,
    r.feature,
    r.how,
    r.accession,
    r.positions,
    coalesce(e.dose, c.dose) as dose,
    coalesce(e.is_touched, c.is_touched) as is_touched,
    coalesce(e.n_positions, 0) as n_positions,
    e.kl,
    e.p_true_before,
    e.p_true_after,
    e.p_true_after - e.p_true_before as p_true_change,
    e.n_top_changed,
    e.delta_norm,
    c.n_controls,
    c.n_watched,
    c.watched_kl,
    c.kl_percentile,
    c.control_low,
    c.control_median,
    c.control_high,
    c.watched_p_true_change,
    c.p_true_percentile,
    c.control_p_true_change
from effects as e
full join compared as c on e.run = c.run and e.dose = c.dose and e.is_touched = c.is_touched
inner join steering_runs as r on r.sae = $wanted_sae and coalesce(e.run, c.run) = r.run
order by r.started desc, r.run asc, dose asc, is_touched desc
