-- output: concept_features
-- grain:  feature
-- inputs: concept_f1
-- params: $wanted_sae VARCHAR               SAE
--         $wanted_concept VARCHAR           concept
--         $wanted_split VARCHAR = 'valid'   split
--         $k INTEGER = 20                   number of features
-- what:   The features that find a concept, each at its best threshold, the best first.
select
    feature,
    threshold,
    f1_per_domain,
    "precision",
    recall_per_domain,
    f1,
    tp,
    fp
from concept_f1
where sae = $wanted_sae and concept = $wanted_concept and split = $wanted_split
qualify
    row_number() over (
        partition by feature
        order by f1_per_domain desc, f1 desc, threshold desc
    ) = 1
order by f1_per_domain desc, f1 desc, feature asc
limit $k
