-- output: source_firing_partial
-- grain:  sae, source, split, feature, threshold
-- inputs: block_groups, block_letters, coverage, thresholds
-- params: $sae VARCHAR  SAE
-- what:   Residues that each feature fires on in one block, over the proteins that a source covers.
with
bins as (
    select protein_group, feature, n_passed, sum(n_residues) as n_residues
    from block_letters
    group by protein_group, feature, n_passed
),

members as (
    select distinct g.protein_group, g.split, c.source
    from block_groups as g
    inner join coverage as c on g.protein_id = c.protein_id
    union all
    select distinct protein_group, split, 'sequence' as source
    from block_groups
)

select
    $sae as sae,
    m.source,
    m.split,
    b.feature,
    t.threshold,
    sum(b.n_residues)::bigint as n_residues
from bins as b
inner join members as m on b.protein_group = m.protein_group
inner join thresholds as t on b.n_passed >= t.rank
group by m.source, m.split, b.feature, t.threshold
