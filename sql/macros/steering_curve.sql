-- output: steering_curve
-- grain:  run, dose, is_touched
-- inputs: steering_summary, steering_runs
-- params: $wanted_sae VARCHAR      SAE
--         $wanted_feature INTEGER  feature, 0-based
-- what:   The dose-response of one feature: the rows of steering_summary of every run in which it alone was
--         steered, the newest run first.
select
    s.run,
    s.how,
    s.accession,
    s.positions,
    r.mask,
    r.is_private,
    s.dose,
    s.is_touched,
    s.n_positions,
    s.kl,
    s.p_true_change,
    s.n_controls,
    s.n_watched,
    s.watched_kl,
    s.kl_percentile,
    s.control_low,
    s.control_median,
    s.control_high
from steering_summary($wanted_sae) as s
inner join steering_runs as r on r.sae = $wanted_sae and s.run = r.run
where s.feature = $wanted_feature
order by r.started desc, s.run asc, s.dose asc, s.is_touched desc
