-- output: block_words
-- grain:  word, feature, tier
-- inputs: block_hits, block_labels, threshold_tiers
-- params: none
-- what:   The instances of a block that each feature hits, as the bits of a word, for the lower and the
--         upper threshold of a tier: the words of the segments hit, joined by OR.
with
segment_words as (
    select segment, word, bit_or(bit) as mask
    from block_labels
    where word is not null
    group by segment, word
)

select
    w.word,
    h.feature,
    t.tier,
    bit_or(w.mask) as lower_mask,
    bit_or(case when t.weight >= 2147483648 then w.mask else 0 end) as upper_mask
from block_hits as h
inner join threshold_tiers as t on h.n_passed = t.n_passed
inner join segment_words as w on h.segment = w.segment
group by w.word, h.feature, t.tier
