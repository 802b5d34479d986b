-- output: block_hits
-- grain:  segment, feature, n_passed
-- inputs: block_bins, block_residues
-- params: none
-- what:   Residues of each segment of a block by how many thresholds a feature passes on them.
select
    r.segment,
    b.feature,
    b.n_passed,
    count(*)::integer as n_residues
from block_bins as b
inner join block_residues as r on b.place = r.place
where r.segment is not null
group by r.segment, b.feature, b.n_passed
