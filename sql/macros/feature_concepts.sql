-- output: feature_concepts
-- grain:  split, concept
-- inputs: concept_f1
-- params: $wanted_sae VARCHAR      SAE
--         $wanted_feature INTEGER  feature, 0-based
--         $k INTEGER = 2500        number of concepts
-- what:   The concepts that a feature finds, each at the threshold that is best on valid: what it gives
--         there and, read at the same threshold, on test. The best on valid first.
with
measured as (
    select
        f.split,
        f.concept,
        f.threshold,
        f.f1_per_domain,
        f."precision",
        f.recall_per_domain,
        f.f1,
        f.tp,
        f.fp,
        max(case when f.split = 'valid' then f.f1_per_domain end)
            over (partition by f.concept, f.threshold) as valid_f1_per_domain,
        max(case when f.split = 'valid' then f.f1 end)
            over (partition by f.concept, f.threshold) as valid_f1
    from concept_f1 as f
    where f.sae = $wanted_sae and f.feature = $wanted_feature
),

ranked as (
    select
        *,
        dense_rank() over (
            partition by concept
            order by valid_f1_per_domain desc, valid_f1 desc, threshold desc
        ) as place
    from measured
    where valid_f1_per_domain is not null
)

select
    split,
    concept,
    threshold,
    f1_per_domain,
    "precision",
    recall_per_domain,
    f1,
    tp,
    fp
from ranked
where place = 1
qualify dense_rank() over (order by valid_f1_per_domain desc, concept asc) <= $k
order by valid_f1_per_domain desc, concept, split
