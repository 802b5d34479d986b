-- output: agreeing_features
-- grain:  concept_id, feature, protein_id, start
-- inputs: chosen_pairs, judged_stretches
-- params: none
-- what:   How many other features of the concept fire on a suggested stretch at their own thresholds.
with
members as (
    select
        concept_id,
        count(*) as n_features
    from chosen_pairs
    group by concept_id
),

agreeing as (
    select
        s.concept_id,
        s.feature,
        s.protein_id,
        s.start,
        count(distinct o.feature) as n_agreeing
    from judged_stretches as s
    inner join judged_stretches as o
        on
            s.concept_id = o.concept_id and s.protein_id = o.protein_id and s.feature <> o.feature
            and s.stop >= o.start and s.start <= o.stop
    where s.outcome = 'suggested'
    group by s.concept_id, s.feature, s.protein_id, s.start
)

select
    s.concept_id,
    s.feature,
    s.protein_id,
    s.start,
    m.n_features,
    coalesce(a.n_agreeing, 0) as n_agreeing
from judged_stretches as s
inner join members as m on s.concept_id = m.concept_id
left join agreeing as a
    on
        s.concept_id = a.concept_id and s.feature = a.feature
        and s.protein_id = a.protein_id and s.start = a.start
where s.outcome = 'suggested'
