-- output: features of a concept
-- grain:  feature
-- inputs: concept_features, report_pairs
-- params: none
-- what:   Which features find a concept?
select *
from concept_features('demo-sae', (select concept from report_pairs('demo-sae') limit 1), k := 5)
