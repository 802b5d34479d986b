-- output: rule_candidates
-- grain:  concept_id, slot
-- inputs: concept_f1, false_alarms, rule_concepts
-- params: $sae VARCHAR         SAE
--         $n_heads INTEGER     features by F1 on valid, with which a rule begins
--         $n_partners INTEGER  more, by either weighted F1, to join them
-- what:   The features and thresholds that the rules of a concept are made of: the best by F1 on valid, by
--         F0.5 (precision counts for more) and by F2 (recall does), and those that fire where the best one
--         fires in vain. Slot 0 is the best single feature.
with
scores as (
    select
        r.concept_id,
        f.feature,
        f.threshold,
        f.f1_per_domain,
        f.f1,
        1.25 * f.precision * f.recall_per_domain / (0.25 * f.precision + f.recall_per_domain) as f_half,
        5 * f.precision * f.recall_per_domain / (4 * f.precision + f.recall_per_domain) as f_two
    from concept_f1 as f
    inner join rule_concepts as r on f.concept = r.concept
    where f.sae = $sae and f.split = 'valid'
),

placed as (
    select
        *,
        row_number() over (
            partition by concept_id, feature order by f1_per_domain desc, f1 desc, threshold desc
        ) as of_f1,
        row_number() over (partition by concept_id, feature order by f_half desc, threshold desc) as of_half,
        row_number() over (partition by concept_id, feature order by f_two desc, threshold desc) as of_two
    from scores
),

ranked as (
    select
        concept_id, feature, threshold, 1 as list,
        row_number() over (
            partition by concept_id order by f1_per_domain desc, f1 desc, threshold desc, feature asc
        ) as place
    from placed
    where of_f1 = 1
    union all
    select
        concept_id, feature, threshold, 2 as list,
        row_number() over (partition by concept_id order by f_half desc, threshold desc, feature asc) as place
    from placed
    where of_half = 1
    union all
    select
        concept_id, feature, threshold, 3 as list,
        row_number() over (partition by concept_id order by f_two desc, threshold desc, feature asc) as place
    from placed
    where of_two = 1
    union all
    select
        concept_id, feature, threshold, 4 as list,
        row_number() over (partition by concept_id order by n_gained desc, feature asc) as place
    from false_alarms
),

chosen as (
    select concept_id, feature, threshold, min(list * 1000 + place) as place
    from ranked
    where place <= case when list = 1 then $n_heads else $n_partners end
    group by concept_id, feature, threshold
)

select
    concept_id,
    (row_number() over (partition by concept_id order by place asc, feature asc, threshold asc) - 1)::integer
        as slot,
    feature,
    threshold,
    place < 2000 as is_head
from chosen
