-- output: concept_curve
-- grain:  feature, split, threshold
-- inputs: concept_f1
-- params: $wanted_sae VARCHAR      SAE
--         $wanted_concept VARCHAR  concept
--         $k INTEGER = 8           number of features
-- what:   Precision and recall at every threshold of the features that find a concept best on valid, the
--         best one first; place is their order, and is_chosen says which threshold is best on valid.
with
measured as (
    select
        f.feature,
        f.split,
        f.threshold,
        f."precision",
        f.recall_per_domain,
        f.f1_per_domain,
        f.f1,
        f.tp,
        f.fp
    from concept_f1 as f
    where f.sae = $wanted_sae and f.concept = $wanted_concept
),

chosen as (
    select
        m.feature,
        max(row(m.f1_per_domain, m.f1, m.threshold)) as highest
    from measured as m
    where m.split = 'valid'
    group by m.feature
    order by highest desc, m.feature asc
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
    m.fp,
    (dense_rank() over (order by c.highest desc, m.feature asc))::integer as place,
    m.threshold = first_value(m.threshold) over (
        partition by m.feature
        order by m.split = 'valid' desc, m.f1_per_domain desc, m.f1 desc, m.threshold desc
    ) as is_chosen
from measured as m
inner join chosen as c on m.feature = c.feature
where m.split in ('valid', 'test')
order by c.highest desc, m.feature asc, m.split asc, m.threshold asc
