-- output: source_firing_partial
-- grain:  sae, source, split, feature, threshold
-- inputs: block_groups, block_letters, concepts, coverage, thresholds
-- params: $sae VARCHAR  SAE
-- what:   Residues that each feature fires on in one block, over the proteins that a source covers.
with
bins as (
    select
        letter_group // 32 as protein_group,
        band_feature,
        sum(passed_1) as passed_1,
        sum(passed_2) as passed_2,
        sum(passed_3) as passed_3,
        sum(passed_4) as passed_4,
        sum(passed_5) as passed_5
    from block_letters
    group by letter_group // 32, band_feature
),

members as (
    select distinct g.protein_group, g.split, c.source
    from block_groups as g
    inner join coverage as c on g.protein_id = c.protein_id
    union all
    select distinct g.protein_group, g.split, c.source
    from block_groups as g
    cross join concepts as c
    where c.source = 'sequence'
),

counts as (
    select
        m.source,
        m.split,
        b.band_feature % 16777216 as feature,
        t.threshold,
        case (t.rank - 1) % 5
            when 0 then b.passed_1
            when 1 then b.passed_2
            when 2 then b.passed_3
            when 3 then b.passed_4
            else b.passed_5
        end as n_residues
    from bins as b
    inner join members as m on b.protein_group = m.protein_group
    inner join thresholds as t on b.band_feature // 16777216 = (t.rank - 1) // 5
)

select
    $sae as sae,
    source,
    split,
    feature,
    threshold,
    sum(n_residues)::bigint as n_residues
from counts
where n_residues > 0
group by source, split, feature, threshold
