-- output: carriers
-- grain:  concept_id, protein_id
-- inputs: annotations
-- params: none
-- what:   The proteins that carry each annotated concept.
select
    concept_id,
    protein_id,
    count(*) over (partition by concept_id) as n_carriers
from annotations
group by concept_id, protein_id
