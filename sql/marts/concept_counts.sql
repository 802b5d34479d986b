-- output: concept_counts
-- grain:  sae, split, concept_id, feature, threshold
-- inputs: concept_bands, thresholds
-- params: none
-- what:   Residues and instances of every concept that each feature hits, scored or not.
with
counts as (
    select
        n.sae,
        n.label,
        n.feature,
        t.threshold,
        case (t.rank - 1) % 5
            when 0 then n.residues_1
            when 1 then n.residues_2
            when 2 then n.residues_3
            when 3 then n.residues_4
            else n.residues_5
        end as tp,
        case (t.rank - 1) % 5
            when 0 then n.domains_1
            when 1 then n.domains_2
            when 2 then n.domains_3
            when 3 then n.domains_4
            else n.domains_5
        end as tp_per_domain
    from concept_bands as n
    inner join thresholds as t on n.band = (t.rank - 1) // 5
)

select
    sae,
    case label % 3 when 0 then 'train' when 1 then 'valid' else 'test' end as split,
    label // 3 as concept_id,
    feature,
    threshold,
    tp,
    nullif(tp_per_domain, 0) as tp_per_domain
from counts
where tp > 0
