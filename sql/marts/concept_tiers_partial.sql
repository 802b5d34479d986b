-- output: concept_tiers_partial
-- grain:  sae, label, feature, tier
-- inputs: block_groups, block_hits, block_labels, block_letters, block_words, concepts,
--         threshold_tiers
-- params: $sae VARCHAR  SAE
-- what:   Residues and instances of every concept that each feature hits, in one block of proteins.
--         Residues are added up over segments, or over letters; instances are bits of words.
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

label_words as (
    select word, label, bit_or(bit) as mask
    from block_labels
    where word is not null
    group by word, label
),

domain_counts as (
    select
        l.label,
        h.feature,
        h.tier,
        sum(
            bit_count(h.lower_mask & l.mask) + (bit_count(h.upper_mask & l.mask)::bigint << 31)
        )::bigint as domains
    from block_words as h
    inner join label_words as l on h.word = l.word
    where h.lower_mask & l.mask <> 0
    group by l.label, h.feature, h.tier
),

letters as (
    select distinct
        g.protein_group,
        ascii(substr(c.concept, 12, 1)) as letter,
        c.concept_id * 3 + case g.split when 'train' then 0 when 'valid' then 1 else 2 end as label
    from block_groups as g
    cross join concepts as c
    where c.source = 'sequence'
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
union all
select
    $sae as sae,
    l.label,
    b.feature,
    t.tier,
    sum(b.n_residues * t.weight)::bigint as residues,
    0::bigint as domains
from block_letters as b
inner join letters as l on b.protein_group = l.protein_group and b.letter = l.letter
inner join threshold_tiers as t on b.n_passed = t.n_passed
group by l.label, b.feature, t.tier
