-- output: chunk_hits
-- grain:  segment, band_feature
-- inputs: chunk_bins, chunk_labelled
-- params: none
-- what:   Residues of each segment of a chunk on which a feature passes each threshold, at most 2,047.
select
    l.segment,
    b.band_feature,
    sum(b.passed)::bigint as passed
from chunk_bins as b
inner join chunk_labelled as l on b.place = l.place
group by l.segment, b.band_feature
