-- output: chosen_pairs
-- grain:  concept_id, feature
-- inputs: rest_f1, rest_support
-- params: $takes_best BOOLEAN  whether the best pair of a concept is taken even where its F1 is 0.5 or less,
--                              so that a control has something to show
-- what:   The pairs that the rest of valid chooses: feature and threshold as in heldout_pairs.
with
chosen as (
    select concept_id, feature, threshold, precision, f1, f1_per_domain
    from rest_f1
    qualify row_number() over (
        partition by concept_id, feature order by f1_per_domain desc, f1 desc, threshold desc
    ) = 1
),

ranked as (
    select
        *,
        row_number() over (
            partition by concept_id order by f1_per_domain desc, f1 desc, threshold desc, feature asc
        ) as place
    from chosen
)

select
    s.concept_id,
    s.concept,
    s.source,
    s.level,
    r.feature,
    r.threshold,
    r.precision as valid_precision,
    r.precision
from ranked as r
inner join rest_support as s on r.concept_id = s.concept_id
where r.f1_per_domain > 0.5 or ($takes_best and r.place = 1)
