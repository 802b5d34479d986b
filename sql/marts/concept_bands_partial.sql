-- output: concept_bands_partial
-- grain:  sae, label, feature, band
-- inputs: block_groups, block_hits, block_labels, block_letters, block_words, concepts
-- params: $sae VARCHAR  SAE
-- what:   Residues and instances of every concept that each feature hits, in one block of proteins.
--         Residues are added up over segments, or over letters; instances over words.

-- The counts of two thresholds go into one sum: a DOUBLE adds whole numbers below 2^53 without rounding,
-- and a block has fewer than 2^26 residues on which a feature fires.
with
segment_labels as (
    select distinct segment, label
    from block_labels
),

residue_counts as (
    select
        l.label,
        h.band_feature,
        sum(((h.passed & 4095) + (((h.passed >> 12) & 4095) << 26))::double)::bigint as first_two,
        sum((((h.passed >> 24) & 4095) + (((h.passed >> 36) & 4095) << 26))::double)::bigint as next_two,
        sum(((h.passed >> 48) & 4095)::double)::bigint as last_one
    from block_hits as h
    inner join segment_labels as l on h.segment = l.segment
    group by l.label, h.band_feature
),

label_slots as (
    select distinct word, slot, label
    from block_labels
    where word is not null
),

instances_hit as (
    select l.label, h.band_feature, (h.hit >> l.slot) & 281543712968705 as hit
    from block_words as h
    inner join label_slots as l on h.word = l.word
),

domain_counts as (
    select
        i.label,
        i.band_feature,
        sum(((i.hit & 4095) + (((i.hit >> 12) & 4095) << 26))::double)::bigint as first_two,
        sum((((i.hit >> 24) & 4095) + (((i.hit >> 36) & 4095) << 26))::double)::bigint as next_two,
        sum(((i.hit >> 48) & 4095)::double)::bigint as last_one
    from instances_hit as i
    where i.hit <> 0
    group by i.label, i.band_feature
),

letters as (
    select distinct
        32 * g.protein_group + ascii(substr(c.concept, 12, 1)) - 64 as letter_group,
        c.concept_id * 3 + case g.split when 'train' then 0 when 'valid' then 1 else 2 end as label
    from block_groups as g
    cross join concepts as c
    where c.source = 'sequence'
)

select
    $sae as sae,
    r.label,
    r.band_feature % 16777216 as feature,
    r.band_feature // 16777216 as band,
    r.first_two & 67108863 as residues_1,
    r.first_two >> 26 as residues_2,
    r.next_two & 67108863 as residues_3,
    r.next_two >> 26 as residues_4,
    r.last_one as residues_5,
    coalesce(d.first_two & 67108863, 0) as domains_1,
    coalesce(d.first_two >> 26, 0) as domains_2,
    coalesce(d.next_two & 67108863, 0) as domains_3,
    coalesce(d.next_two >> 26, 0) as domains_4,
    coalesce(d.last_one, 0) as domains_5
from residue_counts as r
left join domain_counts as d on r.label = d.label and r.band_feature = d.band_feature
union all
select
    $sae as sae,
    l.label,
    b.band_feature % 16777216 as feature,
    b.band_feature // 16777216 as band,
    sum(b.passed_1)::bigint as residues_1,
    sum(b.passed_2)::bigint as residues_2,
    sum(b.passed_3)::bigint as residues_3,
    sum(b.passed_4)::bigint as residues_4,
    sum(b.passed_5)::bigint as residues_5,
    0::bigint as domains_1,
    0::bigint as domains_2,
    0::bigint as domains_3,
    0::bigint as domains_4,
    0::bigint as domains_5
from block_letters as b
inner join letters as l on b.letter_group = l.letter_group
group by l.label, b.band_feature
