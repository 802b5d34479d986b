-- output: block_words
-- grain:  word, band_feature
-- inputs: block_labels, chunk_hits
-- params: none
-- what:   The instances of a chunk that each feature hits at each threshold, as bits: those of the segments
--         hit, joined by OR; ordered like the hits.

-- 281543712968705 has a 1 in each of five fields of 12 bits. Adding 2,047 to each field carries into its
-- highest bit where there is at least one residue; what is left, times the bits of a word, is those bits
-- in each field.
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
from chunk_hits as h
inner join segment_words as w on h.segment = w.segment
group by w.word, h.band_feature
order by h.band_feature asc
