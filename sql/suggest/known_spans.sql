-- output: known_spans
-- grain:  annotation_id
-- inputs: counted_spans
-- params: $sae VARCHAR  SAE
-- what:   What is annotated on the proteins that the SAE has encoded and the source covers.
select
    protein_id,
    split,
    concept_id,
    instance_id,
    annotation_id,
    start,
    stop
from counted_spans
where sae = $sae
