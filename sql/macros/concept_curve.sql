-- output: concept_curve
-- grain:  feature, split, threshold
-- inputs: concept_f1
-- params: $wanted_sae VARCHAR      SAE
--         $wanted_concept VARCHAR  concept
--         $k INTEGER = 8           number of features
-- what:   Precision and recall at every threshold of the features that find a concept best on valid, the
--         best one first.
with
chosen as (
    select
        f.feature,
        max(row(f.f1_per_domain, f.f1, f.threshold)) as highest
    from concept_f1 as f
    where f.sae = $wanted_sae and f.concept = $wanted_concept and f.split = 'valid'
    group by f.feature
    order by highest desc, f.feature asc
    limit $k
)

select
    f.feature,
    f.split,
    f.threshold,
    f."precision",
    f.recall_per_domain,
    f.f1_per_domain,
    f.tp,
    f.fp
from concept_f1 as f
inner join chosen as c on f.feature = c.feature
where f.sae = $wanted_sae and f.concept = $wanted_concept and f.split in ('valid', 'test')
order by c.highest desc, f.feature asc, f.split asc, f.threshold asc
