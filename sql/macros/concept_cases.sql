-- output: concept_cases
-- grain:  outcome, rank
-- inputs: activations, annotations, concepts, coverage, encodings, features, protein_features, proteins
-- params: $wanted_sae VARCHAR       SAE
--         $wanted_concept VARCHAR   concept
--         $wanted_feature INTEGER   feature, 0-based
--         $cut DOUBLE               threshold
--         $wanted_split VARCHAR     split
--         $k INTEGER = 10           cases of each outcome at most
--         $n_looked INTEGER = 100   proteins on which hits away from the maximum are looked for
-- what:   A feature read as a detector of a concept, case by case: proteins with instances that it hits,
--         proteins with the concept where it fires on none, and proteins without the concept where it
--         fires all the same, each strongest first. A protein whose maximum is in an instance is a hit; of
--         the others with the concept, hits are looked for on those where the feature is strongest.
with
wanted as (
    select
        c.concept_id,
        c.source
    from concepts as c
    where c.concept = $wanted_concept
),

members as (
    select
        p.protein_id,
        p.accession,
        p.name,
        p.length
    from proteins as p
    inner join encodings as e on p.protein_id = e.protein_id
    inner join coverage as v on p.protein_id = v.protein_id
    where e.sae = $wanted_sae and p.split = $wanted_split and v.source in (select w.source from wanted as w)
),

spans as (
    select
        a.protein_id,
        a.instance_id,
        a.start,
        a.stop
    from annotations as a
    inner join wanted as w on a.concept_id = w.concept_id
),

strongest as (
    select
        f.protein_id,
        f.activation,
        f.position
    from protein_features as f
    where f.sae = $wanted_sae and f.feature = $wanted_feature
),

judged as (
    select
        m.protein_id,
        m.accession,
        m.name,
        m.length,
        coalesce(s.activation, 0::float) as activation,
        s.position,
        exists(select 1 as one from spans as t where t.protein_id = m.protein_id) as has_concept
    from members as m
    left join strongest as s on m.protein_id = s.protein_id
),

candidates as (
    select
        j.protein_id,
        exists(
            select 1 as one
            from spans as t
            where t.protein_id = j.protein_id and j.position between t.start and t.stop
        ) as is_hit,
        j.activation,
        j.accession
    from judged as j
    where j.has_concept and j.activation > $cut::float
),

hits as (
    select c.protein_id
    from candidates as c
    where c.is_hit
    order by c.activation desc, c.accession asc
    limit $k
),

others as (
    select c.protein_id
    from candidates as c
    where not c.is_hit
    order by c.activation desc, c.accession asc
    limit $n_looked
),

looked_at as (
    select h.protein_id from hits as h
    union all
    select o.protein_id from others as o
),

fired as (
    select
        a.protein_id,
        a.position
    from activations as a
    inner join features as f on a.sae = f.sae and a.feature = f.feature
    where
        a.sae = $wanted_sae
        and a.feature = $wanted_feature
        and a.protein_id in (select c.protein_id from looked_at as c)
        and (a.value / nullif(f.max_activation, 0))::float > $cut::float
),

instances as (
    select
        s.protein_id,
        s.instance_id,
        count(f.position) > 0 as is_hit
    from spans as s
    left join fired as f on s.protein_id = f.protein_id and f.position between s.start and s.stop
    group by s.protein_id, s.instance_id
),

counted as (
    select
        protein_id,
        count(*) as n_instances,
        count(*) filter (where is_hit) as n_hit
    from instances
    group by protein_id
),

cases as (
    select
        case
            when not j.has_concept then 'false alarm'
            when coalesce(n.n_hit, 0) > 0 then 'hit'
            else 'missed'
        end as outcome,
        j.accession,
        j.name,
        j.activation,
        j.position,
        j.length,
        coalesce(n.n_hit, 0) as n_hit,
        coalesce(n.n_instances, 0) as n_instances
    from judged as j
    left join counted as n on j.protein_id = n.protein_id
    where
        (
            j.has_concept
            and (j.activation <= $cut::float or j.protein_id in (select c.protein_id from looked_at as c))
        )
        or (not j.has_concept and j.activation > $cut::float)
),

ranked as (
    select
        *,
        row_number() over (partition by outcome order by activation desc, accession asc) as rank
    from cases
)

select
    outcome,
    rank::integer as rank,
    accession,
    name,
    activation,
    position,
    n_hit,
    n_instances,
    length
from ranked
where rank <= $k
order by outcome, rank
