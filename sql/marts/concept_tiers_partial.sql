-- output: concept_tiers_partial
-- grain:  sae, label, feature, tier
-- inputs: block_hits, block_labels, threshold_tiers
-- params: $sae VARCHAR  SAE
-- what:   Residues and instances of every annotated concept that each feature hits, in one block of
--         proteins. Residues are added up over segments. Instances are bits: the words of the segments
--         hit are joined by OR, then the bits of each concept are counted.
with
segment_labels as (
    select distinct segment, label
    from block_labels
),

residue_counts as (
    select l.label, h.feature, t.tier, sum(h.n_residues * t.weight)::bigint as residues
    from block_hits as h
    inner join threshold_tiers as t on h.n_passed = t.n_passed
    inner join segment_labels as l on h.segment = l.segment
    group by l.label, h.feature, t.tier
),

segment_words as (
    select segment, word, bit_or(bit) as mask
    from block_labels
    where word is not null
    group by segment, word
),

label_words as (
    select word, label, bit_or(bit) as mask
    from block_labels
    where word is not null
    group by word, label
),

hit_words as (
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
),

domain_counts as (
    select
        l.label,
        h.feature,
        h.tier,
        sum(
            bit_count(h.lower_mask & l.mask) + (bit_count(h.upper_mask & l.mask)::bigint << 31)
        )::bigint as domains
    from hit_words as h
    inner join label_words as l on h.word = l.word
    where h.lower_mask & l.mask <> 0
    group by l.label, h.feature, h.tier
)

select
    $sae as sae,
    r.label,
    r.feature,
    r.tier,
    r.residues,
    coalesce(d.domains, 0) as domains
from residue_counts as r
left join domain_counts as d on r.label = d.label and r.feature = d.feature and r.tier = d.tier
