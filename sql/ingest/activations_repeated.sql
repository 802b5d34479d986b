-- output: activation_repeated
-- grain:  protein_id, position, feature
-- inputs: activation_block
-- params: none
-- what:   What stands more than once in a block.
select
    protein_id,
    position,
    feature,
    count(*) as n_rows
from activation_block
group by protein_id, position, feature
having count(*) > 1
