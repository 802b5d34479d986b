-- output: source_firing_partial
-- grain:  sae, source, split, feature, threshold
-- inputs: activations, coverage, encodings, features, proteins, threshold_cuts, thresholds
-- params: $sae VARCHAR            SAE
--         $first_protein INTEGER  first protein of the block
--         $last_protein INTEGER   last protein of the block
-- what:   Residues that each feature fires on in one block, over the proteins that a source covers.
with
encoded as (
    select p.protein_id, p.split
    from proteins as p
    inner join encodings as e on p.protein_id = e.protein_id
    where e.sae = $sae and p.protein_id between $first_protein and $last_protein
),

covered as (
    select e.protein_id, e.split, v.source
    from encoded as e
    inner join coverage as v on e.protein_id = v.protein_id
    union all
    select protein_id, split, 'sequence' as source
    from encoded
),

scaled as (
    select
        a.protein_id,
        a.feature,
        (a.value / nullif(f.max_activation, 0))::float as activation
    from activations as a
    inner join features as f on a.feature = f.feature
    where a.sae = $sae and f.sae = $sae and a.protein_id between $first_protein and $last_protein
),

binned as (
    select
        s.protein_id,
        s.feature,
        (s.activation > c.t1)::integer + (s.activation > c.t2)::integer
        + (s.activation > c.t3)::integer + (s.activation > c.t4)::integer
        + (s.activation > c.t5)::integer + (s.activation > c.t6)::integer
        + (s.activation > c.t7)::integer + (s.activation > c.t8)::integer
        + (s.activation > c.t9)::integer + (s.activation > c.t10)::integer as passed
    from scaled as s
    cross join threshold_cuts as c
    where s.activation > c.t1
),

bins as (
    select c.source, c.split, b.feature, b.passed, count(*) as n_residues
    from binned as b
    inner join covered as c on b.protein_id = c.protein_id
    group by c.source, c.split, b.feature, b.passed
)

select
    $sae as sae,
    b.source,
    b.split,
    b.feature,
    t.threshold,
    sum(b.n_residues)::bigint as n_residues
from bins as b
inner join thresholds as t on b.passed >= t.rank
group by b.source, b.split, b.feature, t.threshold
