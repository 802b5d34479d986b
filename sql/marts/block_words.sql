-- output: block_words
-- grain:  word, band_feature
-- inputs: block_hits, block_labels
-- params: none
-- what:   The instances of a block that each feature hits at each threshold, as bits: those of the segments
--         hit, joined by OR.

-- 281543712968705 has a 1 in each of five fields of 12 bits. Adding 2,047 to each carries into its highest bit
-- where there is at least one residue; the 1 that is left of it, times the bits of a word, is those
-- bits in each field.
with
segment_words as (
    select segment, word, bit_or(1 << slot)::bigint as bits
    from block_labels
    where word is not null
    group by segment, word
)

select
    w.word,
    h.band_feature,
    bit_or((((h.passed + 576319980446939135) >> 11) & 281543712968705) * w.bits)::bigint as hit
from block_hits as h
inner join segment_words as w on h.segment = w.segment
group by w.word, h.band_feature
