-- output: pair_counts
-- grain:  concept_id, feature, protein_id
-- inputs: activations, concepts, counted_spans, features, heldout_pairs, proteins
-- params: $sae VARCHAR       SAE
--         $is_best BOOLEAN   the best pair of each concept alone
-- what:   What each tested pair gives on each protein of test where its feature fires: residues where it
--         fires, those of them that are the concept's, and instances that are hit.
with
pairs as (
    select c.concept_id, h.feature, h.threshold
    from heldout_pairs as h
    inner join concepts as c on h.concept = c.concept
    where h.sae = $sae and h.is_testable and c.source != 'sequence' and (h.is_best or not $is_best)
),

limits as (
    select
        r.concept_id,
        r.feature,
        r.threshold::float as threshold,
        x.max_activation
    from pairs as r
    inner join features as x on r.feature = x.feature
    where x.sae = $sae and x.max_activation > 0
),

firing as materialized (
    select l.concept_id, l.feature, a.protein_id, a.position
    from activations as a
    inner join limits as l on a.feature = l.feature
    where
        a.sae = $sae
        and a.feature in (select r.feature from pairs as r)
        and a.protein_id in (select p.protein_id from proteins as p where p.split = 'test')
        and (a.value / l.max_activation)::float > l.threshold
),

fired as (
    select concept_id, feature, protein_id, count(*) as n_fired
    from firing
    group by concept_id, feature, protein_id
),

spans as (
    select s.concept_id, s.protein_id, s.instance_id, s.start, s.stop
    from counted_spans as s
    where s.sae = $sae and s.split = 'test' and s.concept_id in (select r.concept_id from pairs as r)
),

right_residues as (
    select
        f.concept_id, f.feature, f.protein_id,
        count(distinct f.position) as n_tp,
        count(distinct s.instance_id) as n_hit
    from firing as f
    inner join spans as s on f.concept_id = s.concept_id and f.protein_id = s.protein_id
    where f.position between s.start and s.stop
    group by f.concept_id, f.feature, f.protein_id
)

select
    f.concept_id,
    f.feature,
    f.protein_id,
    f.n_fired,
    coalesce(t.n_tp, 0)::bigint as n_tp,
    coalesce(t.n_hit, 0)::bigint as n_hit
from fired as f
left join right_residues as t
    on f.concept_id = t.concept_id and f.feature = t.feature and f.protein_id = t.protein_id
order by f.concept_id, f.feature, f.protein_id
