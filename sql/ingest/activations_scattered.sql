-- output: activation_scattered
-- grain:  row
-- inputs: activation_judged, activation_blocks
-- params: none
-- what:   The rows that can be taken, with the block of their protein.
select
    b.block,
    j.protein_id,
    j.position::integer as position,
    j.feature::integer as feature,
    j.stored as value
from activation_judged as j
inner join activation_blocks as b on j.protein_id = b.protein_id
where not (j.is_incomplete or j.is_outside or j.is_no_feature or j.is_no_value)
