-- output: concept_counts
-- grain:  sae, split, concept_id, feature, threshold
-- inputs: concept_tiers, thresholds
-- params: none
-- what:   Residues and instances of every concept that each feature hits, scored or not.
with
counts as (
    select
        n.sae, n.label, n.feature, t.threshold,
        (n.residues >> (31 * ((t.rank - 1) % 2))) & 2147483647 as tp,
        (n.domains >> (31 * ((t.rank - 1) % 2))) & 2147483647 as tp_per_domain
    from concept_tiers as n
    inner join thresholds as t on n.tier = (t.rank - 1) // 2
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
