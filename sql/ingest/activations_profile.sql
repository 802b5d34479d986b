-- output: activation_profile
-- grain:  accession
-- inputs: activation_judged
-- params: none
-- what:   What the file holds of each accession, and how many of its rows cannot be taken.
select
    accession,
    any_value(protein_id) as protein_id,
    any_value(length) as length,
    count(*) as n_rows,
    count(*) filter (where stored > 0) as n_positive,
    count(*) filter (where stored = 0) as n_zero,
    max(feature) as max_feature,
    count(*) filter (where is_incomplete or is_unknown or is_outside or is_no_feature or is_no_value) as n_bad
from activation_judged
group by accession
