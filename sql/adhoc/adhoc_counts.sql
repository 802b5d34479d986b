-- output: adhoc_counts
-- grain:  concept, split, feature, threshold
-- inputs: activations, adhoc_spans, features, thresholds
-- params: $sae VARCHAR  SAE
-- what:   Residues of a concept where a feature fires, and instances that it hits. Each activation is
--         counted at the highest threshold that it passes, and the counts are added up from there.
with
labels as (
    select
        dense_rank() over (order by s.concept, s.split)::integer as label,
        s.concept,
        s.split,
        s.instance_id,
        s.protein_id,
        r.residue::integer as residue
    from adhoc_spans as s
    cross join unnest(range(s.start, s.stop + 1)) as r (residue)
),

residues as materialized (
    select
        label,
        protein_id,
        residue,
        instance_id,
        row_number() over (partition by label, protein_id, residue order by instance_id) = 1 as is_counted
    from labels
    group by label, protein_id, residue, instance_id
),

bands as (
    select
        rank,
        threshold::float as low,
        coalesce(lead(threshold) over (order by threshold), 'infinity'::double)::float as high
    from thresholds
),

active as (
    select
        a.protein_id,
        a.position,
        a.feature,
        b.rank
    from activations as a
    inner join features as f on a.sae = f.sae and a.feature = f.feature
    inner join bands as b
        on
            (a.value / nullif(f.max_activation, 0))::float > b.low
            and (a.value / nullif(f.max_activation, 0))::float <= b.high
    where a.sae = $sae and a.protein_id in (select s.protein_id from adhoc_spans as s)
),

hit as (
    select
        r.label,
        r.instance_id,
        a.feature,
        a.rank,
        count(*) filter (where r.is_counted) as n_tp,
        a.rank = max(a.rank) over (partition by r.instance_id, a.feature) as is_highest
    from active as a
    inner join residues as r on a.protein_id = r.protein_id and a.position = r.residue
    group by r.label, r.instance_id, a.feature, a.rank
),

summed as (
    select
        label,
        feature,
        rank,
        sum(n_tp)::bigint as n_tp,
        count(*) filter (where is_highest) as n_hit
    from hit
    group by label, feature, rank
),

reached as (
    select
        s.label,
        s.feature,
        t.threshold,
        sum(s.n_tp)::bigint as tp,
        sum(s.n_hit)::bigint as n_hit
    from summed as s
    inner join thresholds as t on s.rank >= t.rank
    group by s.label, s.feature, t.threshold
),

names as (
    select distinct
        label,
        concept,
        split
    from labels
)

select
    l.concept,
    l.split,
    r.feature,
    r.threshold,
    r.tp,
    r.n_hit
from reached as r
inner join names as l on r.label = l.label
where r.tp > 0
