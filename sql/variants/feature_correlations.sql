-- output: feature_correlations
-- grain:  feature
-- inputs: feature_sums
-- params: none
-- what:   Correlation of the change of each feature with the measured effect. standard_error is that of
--         atanh(spearman), by leaving out one position at a time, since variants of one position are not
--         independent (Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 11); NULL for
--         fewer than 10 positions, and where without one of them nothing varies.
with
totals as (
    select
        *,
        sum(n) over (partition by feature) as all_n,
        sum(sum_x) over (partition by feature) as all_x,
        sum(sum_xx) over (partition by feature) as all_xx,
        sum(sum_xy) over (partition by feature) as all_xy,
        sum(sum_y) over (partition by feature) as all_y,
        sum(sum_yy) over (partition by feature) as all_yy
    from feature_sums
),

left_out as (
    select
        *,
        (all_n - n) * (all_xy - sum_xy) - (all_x - sum_x) * (all_y - sum_y) as covariance,
        (all_n - n) * (all_xx - sum_xx) - (all_x - sum_x) * (all_x - sum_x) as variance_x,
        (all_n - n) * (all_yy - sum_yy) - (all_y - sum_y) * (all_y - sum_y) as variance_y
    from totals
),

estimates as (
    select
        *,
        case
            when least(variance_x, variance_y) > 1e-6
                then
                    atanh(
                        greatest(
                            least(covariance / sqrt(variance_x) / sqrt(variance_y), 0.999999), -0.999999
                        )
                    )
        end as estimate
    from left_out
),

sums as (
    select
        feature,
        any_value(n_changed) as n_changed,
        count(*) as n_positions,
        count(estimate) as n_estimates,
        var_pop(estimate) as spread,
        sum(n)::bigint as n,
        any_value(all_n * all_xy - all_x * all_y) as covariance,
        any_value(all_n * all_xx - all_x * all_x) as variance_x,
        any_value(all_n * all_yy - all_y * all_y) as variance_y,
        sum(n) * sum(sum_change_measured) - sum(sum_change) * sum(sum_measured) as change_covariance,
        sum(n) * sum(sum_change_2) - sum(sum_change) * sum(sum_change) as change_variance,
        sum(n) * sum(sum_measured_2) - sum(sum_measured) * sum(sum_measured) as measured_variance
    from estimates
    group by feature
)

select
    feature,
    n as n_variants,
    n_changed,
    n_positions,
    covariance / nullif(sqrt(greatest(variance_x, 0)) * sqrt(greatest(variance_y, 0)), 0) as spearman,
    change_covariance
    / nullif(sqrt(greatest(change_variance, 0)) * sqrt(greatest(measured_variance, 0)), 0) as pearson,
    case
        when n_positions >= 10 and n_estimates = n_positions and spread > 0
            then sqrt((n_positions - 1) * spread)
    end as standard_error
from sums
order by feature
