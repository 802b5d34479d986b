-- output: track of a feature
-- grain:  position
-- inputs: protein_activations, max_examples
-- params: none
-- what:   How does one feature run along a protein?
select
    position,
    amino_acid,
    activation
from
    protein_activations('demo-sae', (
        select min_by(accession, (rank, feature)) from max_examples where sae = 'demo-sae'
    ))
where feature = (select min(feature) from max_examples where sae = 'demo-sae')
order by position
