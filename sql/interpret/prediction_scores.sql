-- output: prediction_scores
-- grain:  sae, feature, source
-- inputs: interpretation_predictions
-- params: $sae VARCHAR     SAE
--         $presence FLOAT  strict lower bound on activation, real or predicted, that counts as active
-- what:   How well words predict, on proteins that were not shown: Pearson's r of predicted with real
--         highest activation, and balanced accuracy, the mean of the shares of the active and of the others
--         that are called so; a protein is active, or is called so, above `presence`.
with
rated as (
    select
        feature,
        source,
        actual::double as actual,
        predicted,
        actual > $presence::float as is_active,
        predicted > $presence::float as is_called
    from interpretation_predictions
    where sae = $sae and not is_shown and predicted is not null
),

counted as (
    select
        feature,
        source,
        count(*) as n_scored,
        count(*) filter (where is_active) as n_active,
        case
            when count(*) >= 3 and min(actual) < max(actual) and min(predicted) < max(predicted)
                then corr(predicted, actual)
        end as r,
        count(*) filter (where is_active and is_called) as n_hits,
        count(*) filter (where not is_active and not is_called) as n_rejections
    from rated
    group by feature, source
)

select
    $sae as sae,
    feature,
    source,
    n_scored,
    n_active,
    case when r is not null then greatest(-1, least(1, r)) end as pearson_r,  -- greatest leaves out NULL
    case
        when n_active between 1 and n_scored - 1
            then (n_hits / n_active::double + n_rejections / (n_scored - n_active)::double) / 2
    end as balanced_accuracy
from counted
