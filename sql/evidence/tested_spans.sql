-- output: tested_spans
-- grain:  concept_id, protein_id, instance_id, start, stop
-- inputs: counted_spans
-- params: $sae VARCHAR           SAE
--         $concepts INTEGER[]    concept_id of the concepts
-- what:   The annotated spans of some concepts on the proteins of test.
select
    concept_id,
    protein_id,
    instance_id,
    start,
    stop
from counted_spans
where sae = $sae and split = 'test' and list_contains($concepts, concept_id)
order by concept_id, protein_id, instance_id, start, stop
