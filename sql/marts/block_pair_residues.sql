-- output: block_pair_residues
-- grain:  pair
-- inputs: block_hits, block_labels
-- params: none
-- what:   Residues of each label on which each feature passes each threshold, added up over the segments
--         of a block.

-- The counts of two thresholds go into one sum: a DOUBLE adds whole numbers below 2^53 without rounding,
-- and a block has fewer than 2^26 residues on which a feature fires. The pair of a label and a feature is
-- one number too, 2^25 * label + band_feature, which is faster to group by than two.
with
segment_labels as (
    select distinct segment, label::bigint * 33554432 as label_key
    from block_labels
)

select
    l.label_key + h.band_feature as pair,
    sum(((h.passed & 4095) + (((h.passed >> 12) & 4095) << 26))::double)::bigint as first_two,
    sum((((h.passed >> 24) & 4095) + (((h.passed >> 36) & 4095) << 26))::double)::bigint as next_two,
    sum(((h.passed >> 48) & 4095)::double)::bigint as last_one
from block_hits as h
inner join segment_labels as l on h.segment = l.segment
group by l.label_key + h.band_feature
