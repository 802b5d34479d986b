-- output: examples of a feature
-- grain:  rank
-- inputs: feature_examples, report_pairs
-- params: none
-- what:   On which proteins, and where on them, is a feature strongest?
select
    rank,
    accession,
    position,
    activation,
    n_residues,
    length
from feature_examples('demo-sae', (select feature from report_pairs('demo-sae') limit 1), k := 5)
