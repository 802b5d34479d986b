-- output: found concepts
-- grain:  concept
-- inputs: report_pairs
-- params: none
-- what:   Which concepts does an SAE find on proteins that were held out?
select
    concept,
    feature,
    threshold,
    test_f1_per_domain,
    test_precision,
    test_recall_per_domain
from report_pairs('demo-sae')
where is_found and not is_amino_acid
