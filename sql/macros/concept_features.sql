-- output: concept_features
-- grain:  feature
-- inputs: concept_f1
-- params: $wanted_sae VARCHAR               SAE
--         $wanted_concept VARCHAR           concept
--         $wanted_split VARCHAR = 'valid'   split that is shown
--         $k INTEGER = 20                   number of features
-- what:   The features that find a concept best on valid, each at its best threshold there: what they
--         give on one split, read at that threshold.
with
chosen as (
    select c.feature, c.threshold, c.f1_per_domain, c.f1
    from concept_f1 as c
    where c.sae = $wanted_sae and c.concept = $wanted_concept and c.split = 'valid'
    qualify
        row_number() over (
            partition by c.feature
            order by c.f1_per_domain desc, c.f1 desc, c.threshold desc
        ) = 1
)

select
    f.feature,
    f.threshold,
    f.f1_per_domain,
    f."precision",
    f.recall_per_domain,
    f.f1,
    f.tp,
    f.fp
from concept_f1 as f
inner join chosen as c on f.feature = c.feature and f.threshold = c.threshold
where f.sae = $wanted_sae and f.concept = $wanted_concept and f.split = $wanted_split
order by c.f1_per_domain desc, c.f1 desc, f.feature asc
limit $k
