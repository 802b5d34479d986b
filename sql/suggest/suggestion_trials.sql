-- output: suggestion_trials
-- grain:  sae, hide_by, pct_hidden, seed, detector, concept
-- inputs: chosen_pairs, concepts, hidden_proteins, hidden_residues, marked_suggestions, recoveries,
--         rest_f1, rest_support
-- params: $sae VARCHAR         SAE that is measured
--         $pct_hidden INTEGER  as in hidden_proteins
--         $hide_by VARCHAR     as in hidden_proteins
--         $seed INTEGER        as in hidden_proteins
--         $detector VARCHAR    sae, or the role of the control that the suggestions are of
--         $detector_sae VARCHAR  its name
-- what:   How much of what was hidden the suggestions bring back, concept by concept.
with
hidden as (
    select
        h.concept_id,
        count(distinct h.protein_id) as n_proteins,
        count(distinct r.instance_id) as n_instances
    from hidden_proteins as h
    inner join hidden_residues as r on h.concept_id = r.concept_id and h.protein_id = r.protein_id
    where h.split = 'test'
    group by h.concept_id
),

tried as (
    select concept_id, count(*) as n_tried
    from rest_f1
    group by concept_id
),

pairs as (
    select concept_id, count(*) as n_pairs
    from chosen_pairs
    group by concept_id
),

suggested as (
    select concept, count(*) as n_suggestions
    from marked_suggestions
    where is_leading
    group by concept
),

ordered as (
    select
        c.concept_id,
        m.rank,
        row_number() over (partition by c.concept_id order by m.rank asc) as place
    from marked_suggestions as m
    inner join concepts as c on m.concept = c.concept
    where m.is_leading
),

best as (
    select
        r.concept_id,
        count(distinct r.rank) as n_touching,
        count(distinct r.rank) filter (where r.iou >= 0.5) as n_right
    from recoveries as r
    inner join ordered as o on r.concept_id = o.concept_id and r.rank = o.rank
    inner join hidden as h on r.concept_id = h.concept_id
    where o.place <= h.n_instances
    group by r.concept_id
),

recovered as (
    select
        concept_id,
        count(distinct instance_id) as n_touched,
        count(distinct instance_id) filter (where iou >= 0.5) as n_recovered,
        count(distinct rank) as n_touching,
        count(distinct rank) filter (where iou >= 0.5) as n_right
    from recoveries
    group by concept_id
)

select
    $sae as sae, $hide_by as hide_by, $pct_hidden::integer as pct_hidden, $seed::integer as seed,
    $detector as detector, $detector_sae as detector_sae,
    c.concept,
    coalesce(t.n_tried, 0) as n_tried,
    coalesce(p.n_pairs, 0) as n_pairs,
    h.n_proteins as n_hidden_proteins,
    h.n_instances as n_hidden,
    coalesce(r.n_recovered, 0) as n_recovered,
    coalesce(r.n_touched, 0) as n_touched,
    coalesce(s.n_suggestions, 0) as n_suggestions,
    coalesce(r.n_right, 0) as n_right,
    coalesce(r.n_touching, 0) as n_touching,
    least(coalesce(s.n_suggestions, 0), h.n_instances) as n_best,
    coalesce(b.n_right, 0) as n_right_of_best,
    coalesce(b.n_touching, 0) as n_touching_of_best,
    coalesce(r.n_right, 0) / nullif(s.n_suggestions, 0)::double as precision,
    coalesce(r.n_touching, 0) / nullif(s.n_suggestions, 0)::double as precision_touching
from rest_support as c
inner join hidden as h on c.concept_id = h.concept_id
left join tried as t on c.concept_id = t.concept_id
left join pairs as p on c.concept_id = p.concept_id
left join suggested as s on c.concept = s.concept
left join best as b on c.concept_id = b.concept_id
left join recovered as r on c.concept_id = r.concept_id
