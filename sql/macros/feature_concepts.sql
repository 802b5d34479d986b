-- output: feature_concepts
-- grain:  split, concept
-- inputs: concept_f1
-- params: $wanted_sae VARCHAR      SAE
--         $wanted_feature INTEGER  feature, 0-based
-- what:   The concepts that a feature finds, each at its best threshold, on valid and on test.
select
    split,
    concept,
    threshold,
    f1_per_domain,
    "precision",
    recall_per_domain,
    f1,
    tp,
    fp
from concept_f1
where sae = $wanted_sae and feature = $wanted_feature
qualify
    row_number() over (
        partition by split, concept
        order by f1_per_domain desc, f1 desc, threshold desc
    ) = 1
order by f1_per_domain desc, concept, split
