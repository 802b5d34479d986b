-- output: amino acids of a feature
-- grain:  amino_acid
-- inputs: feature_amino_acids, report_pairs
-- params: none
-- what:   Which amino acids does a feature prefer?
select
    amino_acid,
    n_residues,
    enrichment
from feature_amino_acids
where sae = 'demo-sae' and feature = (select feature from report_pairs('demo-sae') limit 1)
order by enrichment desc
limit 5
