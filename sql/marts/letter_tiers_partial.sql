-- output: letter_tiers_partial
-- grain:  sae, source, split, amino_acid, feature, tier
-- inputs: block_bins, block_groups, block_residues, coverage, threshold_tiers
-- params: $sae VARCHAR  SAE
-- what:   Residues of each letter that each feature fires on, in one block of proteins; a row for each
--         group of proteins, which the merge adds up.
with
bins as (
    select g.protein_group, r.letter, b.feature, b.n_passed, count(*) as n_residues
    from block_bins as b
    inner join block_residues as r on b.place = r.place
    inner join block_groups as g on r.protein_id = g.protein_id
    where b.n_passed > 0
    group by g.protein_group, r.letter, b.feature, b.n_passed
),

tiers as (
    select b.protein_group, b.letter, b.feature, t.tier, sum(b.n_residues * t.weight)::bigint as counts
    from bins as b
    inner join threshold_tiers as t on b.n_passed = t.n_passed
    group by b.protein_group, b.letter, b.feature, t.tier
),

members as (
    select distinct p.protein_group, p.split, c.source
    from block_groups as p
    inner join coverage as c on p.protein_id = c.protein_id
    union all
    select distinct protein_group, split, 'sequence' as source
    from block_groups
)

select
    $sae as sae,
    m.source,
    m.split,
    chr(t.letter) as amino_acid,
    t.feature,
    t.tier,
    t.counts
from tiers as t
inner join members as m on t.protein_group = m.protein_group
