-- output: block_hits
-- grain:  segment, band_feature
-- inputs: chunk_hits
-- params: none
-- what:   Residues of each segment of a block on which a feature passes each threshold. In the order of
--         features, what is added up for one pair stays close together, which saves more time than the
--         sort takes.
select
    segment,
    band_feature,
    passed
from chunk_hits
order by band_feature asc
