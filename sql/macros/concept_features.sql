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
measured as (
    select
        f.feature,
        f.split,
        f.threshold,
        f.f1_per_domain,
        f."precision",
        f.recall_per_domain,
        f.f1,
        f.tp,
        f.fp
    from concept_f1 as f
    where f.sae = $wanted_sae and f.concept = $wanted_concept
),

chosen as (
    select
        m.feature,
        m.threshold,
        m.f1_per_domain,
        m.f1
    from measured as m
    where m.split = 'valid'
    qualify
        row_number() over (
            partition by m.feature
            order by m.f1_per_domain desc, m.f1 desc, m.threshold desc
        ) = 1
)

select
    m.feature,
    m.threshold,
    m.f1_per_domain,
    m."precision",
    m.recall_per_domain,
    m.f1,
    m.tp,
    m.fp
from measured as m
inner join chosen as c on m.feature = c.feature and m.threshold = c.threshold
where m.split = $wanted_split
order by c.f1_per_domain desc, c.f1 desc, c.threshold desc, m.feature asc
limit $k
