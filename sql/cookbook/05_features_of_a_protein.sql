-- output: features of a protein
-- grain:  feature
-- inputs: protein_top_features, max_examples
-- params: none
-- what:   Which features are strongest on a protein, and what do they mean?
select *
from protein_top_features('demo-sae', (
    select min_by(accession, (rank, feature)) from max_examples where sae = 'demo-sae'
), k := 10)
