-- output: meaning of a feature
-- grain:  split, concept
-- inputs: feature_concepts, report_pairs
-- params: none
-- what:   What does a feature mean? (here: the feature of the best pair)
select *
from feature_concepts('demo-sae', (select feature from report_pairs('demo-sae') limit 1))
where split = 'test'
limit 10
