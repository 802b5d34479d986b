-- output: features of a residue
-- grain:  feature
-- inputs: residue_features, max_examples
-- params: none
-- what:   Which features fire on one residue?
select *
from
    residue_features(
        'demo-sae',
        (select min_by(accession, (rank, feature)) from max_examples where sae = 'demo-sae'),
        10
    )
limit 10
