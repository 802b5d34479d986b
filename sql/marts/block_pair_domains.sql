-- output: block_pair_domains
-- grain:  pair
-- inputs: block_labels, block_words
-- params: none
-- what:   Instances of each label that each feature hits at each threshold, added up over the words of a
--         block. Sums and pairs are as in block_pair_residues.
with
label_slots as (
    select distinct word, slot, label::bigint * 33554432 as label_key
    from block_labels
    where word is not null
),

instances_hit as (
    select l.label_key + h.band_feature as pair, (h.hit >> l.slot) & 281543712968705 as hit
    from block_words as h
    inner join label_slots as l on h.word = l.word
)

select
    i.pair,
    sum(((i.hit & 4095) + (((i.hit >> 12) & 4095) << 26))::double)::bigint as first_two,
    sum((((i.hit >> 24) & 4095) + (((i.hit >> 36) & 4095) << 26))::double)::bigint as next_two,
    sum(((i.hit >> 48) & 4095)::double)::bigint as last_one
from instances_hit as i
where i.hit <> 0
group by i.pair
