-- output: concept_counts
-- grain:  sae, split, concept_id, feature, threshold
-- inputs: label_counts
-- params: none
-- what:   Residues and instances of every concept that each feature hits, scored or not.
select
    sae,
    case label % 3 when 0 then 'train' when 1 then 'valid' else 'test' end as split,
    label // 3 as concept_id,
    feature,
    threshold,
    tp,
    nullif(tp_per_domain, 0) as tp_per_domain
from label_counts
where tp > 0
