-- output: feature_words
-- grain:  source
-- inputs: features, interpretations, interpretation_verdicts
-- params: $wanted_sae VARCHAR      SAE
--         $wanted_feature INTEGER  feature, 0-based
-- what:   What a feature is in words, from each source, the best-scored first, with the last verdict of a
--         person on it. Words are older than the data where the scale of the feature is another by now.
with
verdicts as (
    select source, verdict, note, judge, created
    from interpretation_verdicts
    where sae = $wanted_sae and feature = $wanted_feature
    qualify row_number() over (partition by source order by created desc) = 1
)

select
    i.source,
    i.status,
    i.reason,
    i.summary,
    i.description,
    i.pearson_r,
    i.balanced_accuracy,
    i.n_shown,
    i.n_scored,
    i.n_active,
    i.created,
    coalesce(i.max_activation <> f.max_activation, false) as is_older,
    v.verdict,
    v.note,
    v.judge,
    v.created as judged
from interpretations as i
left join features as f on i.sae = f.sae and i.feature = f.feature
left join verdicts as v on i.source = v.source
where i.sae = $wanted_sae and i.feature = $wanted_feature
order by i.pearson_r desc nulls last, i.source
