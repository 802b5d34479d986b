-- output: steering_features
-- grain:  dose, read_sae, feature, is_touched
-- inputs: read_activations
-- params: $run VARCHAR          run
--         $n_touched INTEGER    positions that were edited
--         $n_untouched INTEGER  all others
-- what:   How far features moved, from their activations before and after at the positions where either is
--         above 0.
with
moves as (
    select
        *,
        after - before as change
    from read_activations
),

counted as (
    select
        dose,
        read_sae,
        feature,
        is_touched,
        count(*) filter (where change <> 0) as n_moved,
        sum(before) as sum_before,
        sum(after) as sum_after,
        arg_max(change, (abs(change), -position)) as max_change,
        arg_max(position, (abs(change), -position)) as position
    from moves
    group by dose, read_sae, feature, is_touched
)

select
    $run as run,
    dose,
    read_sae,
    feature,
    is_touched,
    case when is_touched then $n_touched else $n_untouched end as n_positions,
    n_moved,
    sum_before / case when is_touched then $n_touched else $n_untouched end as mean_before,
    sum_after / case when is_touched then $n_touched else $n_untouched end as mean_after,
    (sum_after - sum_before) / case when is_touched then $n_touched else $n_untouched end as mean_change,
    max_change,
    position
from counted
where n_moved > 0
