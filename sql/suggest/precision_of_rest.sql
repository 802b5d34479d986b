-- output: valid_precision
-- grain:  concept_id, feature, threshold
-- inputs: rest_f1
-- params: none
-- what:   How precise each feature is for each concept on the rest of valid.
select
    concept_id,
    feature,
    threshold,
    precision
from rest_f1
