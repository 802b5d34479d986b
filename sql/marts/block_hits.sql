-- output: block_hits
-- grain:  segment, band_feature
-- inputs: block_bins, block_labelled
-- params: none
-- what:   Residues of each segment of a block on which a feature passes each threshold, at most 2,047.
select
    l.segment,
    b.band_feature,
    sum(b.passed)::bigint as passed
from block_bins as b
inner join block_labelled as l on b.place = l.place
group by l.segment, b.band_feature
