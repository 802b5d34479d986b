-- output: concept_counts_partial
-- grain:  sae, split, concept_id, feature, threshold
-- inputs: activations, annotations, concepts, coverage, encodings, features, proteins, residues,
--         threshold_cuts, thresholds
-- params: $sae VARCHAR            SAE
--         $first_protein INTEGER  first protein of the block
--         $last_protein INTEGER   last protein of the block
-- what:   Residues and instances of every concept that each feature hits, in one block of proteins.
with
encoded as (
    select p.protein_id, p.split, p.length
    from proteins as p
    inner join encodings as e on p.protein_id = e.protein_id
    where e.sae = $sae and p.protein_id between $first_protein and $last_protein
),

labels as (
    select distinct
        e.protein_id, e.split, r.position::integer as position, a.concept_id, c.level, a.instance_id
    from annotations as a
    inner join encoded as e on a.protein_id = e.protein_id
    inner join concepts as c on a.concept_id = c.concept_id
    inner join coverage as v on c.source = v.source and e.protein_id = v.protein_id
    cross join unnest(range(a.start, least(a.stop, e.length) + 1)) as r (position)
    union all
    select e.protein_id, e.split, r.position, c.concept_id, c.level, 0 as instance_id
    from residues as r
    inner join encoded as e on r.protein_id = e.protein_id
    inner join concepts as c on c.source = 'sequence' and r.amino_acid = substr(c.concept, 12, 1)
),

scaled as (
    select
        a.protein_id,
        a.position,
        a.feature,
        (a.value / nullif(f.max_activation, 0))::float as activation
    from activations as a
    inner join features as f on a.feature = f.feature
    where a.sae = $sae and f.sae = $sae and a.protein_id between $first_protein and $last_protein
),

binned as (
    select
        s.protein_id,
        s.position,
        s.feature,
        (s.activation > c.t1)::integer + (s.activation > c.t2)::integer
        + (s.activation > c.t3)::integer + (s.activation > c.t4)::integer
        + (s.activation > c.t5)::integer + (s.activation > c.t6)::integer
        + (s.activation > c.t7)::integer + (s.activation > c.t8)::integer
        + (s.activation > c.t9)::integer + (s.activation > c.t10)::integer as passed
    from scaled as s
    cross join threshold_cuts as c
    where s.activation > c.t1
)

select
    $sae as sae,
    l.split,
    l.concept_id,
    b.feature,
    t.threshold,
    count(distinct b.protein_id * 100000::bigint + b.position) as tp,
    case when l.level = 'domain' then count(distinct l.instance_id) end as tp_per_domain
from binned as b
inner join labels as l on b.protein_id = l.protein_id and b.position = l.position
inner join thresholds as t on b.passed >= t.rank
group by l.split, l.concept_id, l.level, b.feature, t.threshold
