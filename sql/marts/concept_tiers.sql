-- output: concept_tiers
-- grain:  sae, label, feature, tier
-- inputs: concept_tiers_partial, concepts, letter_tiers
-- params: $sae VARCHAR  SAE
-- what:   Residues and instances of every concept that each feature hits, scored or not; letters are
--         concepts whose residues the sequence gives.
with
letters as (
    select concept_id, substr(concept, 12, 1) as amino_acid
    from concepts
    where source = 'sequence'
),

annotated as (
    select n.label, n.feature, n.tier, sum(n.residues)::bigint as residues, sum(n.domains)::bigint as domains
    from concept_tiers_partial as n
    where n.sae = $sae and n.label // 3 not in (select l.concept_id from letters as l)
    group by n.label, n.feature, n.tier
)

select $sae as sae, label, feature, tier, residues, domains
from annotated
union all
select
    $sae as sae,
    l.concept_id * 3 + case f.split when 'train' then 0 when 'valid' then 1 else 2 end as label,
    f.feature,
    f.tier,
    f.counts as residues,
    0::bigint as domains
from letter_tiers as f
inner join letters as l on f.amino_acid = l.amino_acid
where f.sae = $sae and f.source = 'sequence'
