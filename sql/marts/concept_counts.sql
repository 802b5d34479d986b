-- output: concept_counts
-- grain:  sae, split, concept_id, feature, threshold
-- inputs: concept_counts_partial
-- params: $sae VARCHAR  SAE
-- what:   Residues and instances of every concept that each feature hits; scored or not.
select
    $sae as sae,
    split,
    concept_id,
    feature,
    threshold,
    sum(tp)::bigint as tp,
    sum(tp_per_domain)::bigint as tp_per_domain
from concept_counts_partial
where sae = $sae
group by split, concept_id, feature, threshold
