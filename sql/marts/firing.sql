-- output: firing
-- grain:  sae, split, feature, threshold
-- inputs: source_firing
-- params: none
-- what:   Residues of all encoded proteins that a feature fires on.
select
    sae,
    split,
    feature,
    threshold,
    n_residues
from source_firing
where source = 'sequence'
