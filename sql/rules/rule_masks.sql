-- output: rule_masks
-- grain:  mask
-- inputs: rule_residues
-- params: none
-- what:   How many residues of valid have each combination of firing features, in and outside the concept.
select
    mask,
    count(*) filter (where is_annotated) as n_in,
    count(*) filter (where not is_annotated) as n_out
from rule_residues
where split = 'valid'
group by mask
