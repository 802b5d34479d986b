-- output: false_alarms
-- grain:  concept_id, feature
-- inputs: activations, coverage, features, known_spans, proteins, rule_concepts, thresholds
-- params: $sae VARCHAR        SAE
--         $n_partners INTEGER  features of each concept
-- what:   The features that fire most where the best single feature of a concept fires in vain on valid: by
--         the residues of false alarms less those of the concept, at the threshold where that is most.
with
fired as (
    select r.concept_id, r.feature as best_feature, a.protein_id, a.position
    from rule_concepts as r
    inner join activations as a on r.feature = a.feature
    inner join features as f on a.sae = f.sae and a.feature = f.feature
    inner join proteins as p on a.protein_id = p.protein_id
    inner join coverage as v on r.source = v.source and a.protein_id = v.protein_id
    where
        a.sae = $sae and p.split = 'valid'
        and (a.value / nullif(f.max_activation, 0))::float > r.threshold::float
),

hits as (
    select distinct f.concept_id, f.protein_id, f.position
    from fired as f
    inner join known_spans as s
        on
            f.concept_id = s.concept_id and f.protein_id = s.protein_id
            and f.position between s.start and s.stop
),

met as (
    select
        f.concept_id,
        a.feature,
        t.threshold,
        sum(case when h.position is null then 1 else -1 end)::bigint as n_gained
    from fired as f
    left join hits as h
        on f.concept_id = h.concept_id and f.protein_id = h.protein_id and f.position = h.position
    inner join activations as a on f.protein_id = a.protein_id and f.position = a.position
    inner join features as x on a.sae = x.sae and a.feature = x.feature
    inner join thresholds as t on (a.value / nullif(x.max_activation, 0))::float > t.threshold::float
    where a.sae = $sae and a.feature <> f.best_feature
    group by f.concept_id, a.feature, t.threshold
),

strongest as (
    select *
    from met
    qualify row_number() over (
        partition by concept_id, feature order by n_gained desc, threshold desc
    ) = 1
)

select concept_id, feature, threshold, n_gained
from strongest
where n_gained > 0
qualify row_number() over (partition by concept_id order by n_gained desc, feature asc) <= $n_partners
