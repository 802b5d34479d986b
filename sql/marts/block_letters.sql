-- output: block_letters
-- grain:  protein_group, letter, feature, n_passed
-- inputs: block_bins, block_groups, block_residues
-- params: none
-- what:   Residues of each letter of a block by how many thresholds a feature passes on them.
select
    g.protein_group,
    r.letter,
    b.feature,
    b.n_passed,
    count(*)::integer as n_residues
from block_bins as b
inner join block_residues as r on b.place = r.place
inner join block_groups as g on r.protein_id = g.protein_id
where b.n_passed > 0
group by g.protein_group, r.letter, b.feature, b.n_passed
