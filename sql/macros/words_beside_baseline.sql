-- output: words_beside_baseline
-- grain:  source
-- inputs: interpretations
-- params: $wanted_sae VARCHAR  SAE
-- what:   How well the words of each source predict, over its features, and on how many of those that both
--         have it beats describe, the baseline.
with
baseline as (
    select feature, pearson_r
    from interpretations
    where sae = $wanted_sae and source = 'describe'
)

select
    i.source,
    count(*) as n_features,
    count(*) filter (where i.status = 'scored') as n_scored,
    count(*) filter (where i.status = 'failed') as n_failed,
    median(i.pearson_r) as median_r,
    median(i.balanced_accuracy) as median_balanced_accuracy,
    count(b.pearson_r) filter (where i.pearson_r is not null) as n_compared,
    count(*) filter (where i.pearson_r > b.pearson_r) as n_better
from interpretations as i
left join baseline as b on i.feature = b.feature
where i.sae = $wanted_sae
group by i.source
order by median_r desc nulls last, i.source
