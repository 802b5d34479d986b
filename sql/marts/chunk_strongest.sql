-- output: chunk_strongest
-- grain:  feature, protein_id
-- inputs: chunk_peaks
-- params: none
-- what:   The 20 proteins of a chunk on which each feature is strongest.
select
    feature,
    protein_id,
    activation,
    row_number() over (partition by feature order by activation desc, protein_id asc)::integer as rank
from chunk_peaks
qualify row_number() over (partition by feature order by activation desc, protein_id asc) <= 20
