-- output: feature_concepts
-- grain:  split, concept
-- inputs: concept_f1
-- params: $wanted_sae VARCHAR      SAE
--         $wanted_feature INTEGER  feature, 0-based
-- what:   The concepts that a feature finds, each at the threshold that is best on valid: what it gives
--         there and, read at the same threshold, on test. The best on valid first.
with
chosen as (
    select c.concept, c.threshold, c.f1_per_domain
    from concept_f1 as c
    where c.sae = $wanted_sae and c.feature = $wanted_feature and c.split = 'valid'
    qualify
        row_number() over (
            partition by c.concept
            order by c.f1_per_domain desc, c.f1 desc, c.threshold desc
        ) = 1
)

select
    f.split,
    f.concept,
    f.threshold,
    f.f1_per_domain,
    f."precision",
    f.recall_per_domain,
    f.f1,
    f.tp,
    f.fp
from concept_f1 as f
inner join chosen as c on f.concept = c.concept and f.threshold = c.threshold
where f.sae = $wanted_sae and f.feature = $wanted_feature
order by c.f1_per_domain desc, f.concept, f.split
