-- output: suggestion_counts
-- grain:  sae, concept
-- inputs: chosen_pairs, judged_stretches, marked_suggestions
-- params: $sae VARCHAR  SAE
-- what:   What became of the stretches on which the features of a concept fire.
with
pairs as (
    select concept_id, concept, count(*) as n_pairs
    from chosen_pairs
    group by concept_id, concept
),

judged as (
    select
        concept_id,
        count(*) as n_stretches,
        count(*) filter (where outcome = 'annotated') as n_annotated,
        count(*) filter (where outcome = 'explained') as n_explained,
        count(*) filter (where outcome = 'suggested') as n_suggested
    from judged_stretches
    group by concept_id
),

foremost as (
    select concept, count(*) as n_leading
    from marked_suggestions
    where is_leading
    group by concept
)

select
    $sae as sae,
    p.concept,
    p.n_pairs,
    coalesce(j.n_stretches, 0) as n_stretches,
    coalesce(j.n_annotated, 0) as n_annotated,
    coalesce(j.n_explained, 0) as n_explained,
    coalesce(j.n_suggested, 0) as n_suggested,
    coalesce(l.n_leading, 0) as n_leading
from pairs as p
left join judged as j on p.concept_id = j.concept_id
left join foremost as l on p.concept = l.concept
