-- output: concept_curve
-- grain:  feature, split, threshold
-- inputs: concept_f1
-- params: $wanted_sae VARCHAR      SAE
--         $wanted_concept VARCHAR  concept
--         $k INTEGER = 8           number of features
-- what:   Precision and recall at every threshold of the features that find a concept best on valid, the
--         best one first.
with
measured as (
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
    where f.sae = $wanted_sae and f.concept = $wanted_concept
),

chosen as (
    select
        m.feature,
        max(m.f1_per_domain) as highest
    from measured as m
    where m.split = 'valid'
    group by m.feature
    order by max(m.f1_per_domain) desc, m.feature asc
    limit $k
)

select
    m.feature,
    m.split,
    m.threshold,
    m."precision",
    m.recall_per_domain,
    m.f1_per_domain,
    m.tp,
    m.fp
from measured as m
inner join chosen as c on m.feature = c.feature
order by c.highest desc, m.feature asc, m.split asc, m.threshold asc
