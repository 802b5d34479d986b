-- output: concept_bands_partial
-- grain:  sae, label, feature, band
-- inputs: block_groups, block_letters, block_pair_domains, block_pair_residues, concepts
-- params: $sae VARCHAR  SAE
-- what:   Residues and instances of every concept that each feature hits, in one block of proteins.
--         Two counts stand in one number, and so do label and feature; see block_pair_residues.
with
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
    (r.pair // 33554432)::integer as label,
    (r.pair % 16777216)::integer as feature,
    (r.pair // 16777216 % 2)::integer as band,
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
from block_pair_residues as r
left join block_pair_domains as d on r.pair = d.pair
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
