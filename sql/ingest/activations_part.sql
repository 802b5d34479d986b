-- output: activations
-- grain:  protein_id, position, feature
-- inputs: activation_block
-- params: none
-- what:   The rows of one block that are stored: zeros are not.
select
    protein_id,
    position,
    feature,
    value
from activation_block
where value > 0
