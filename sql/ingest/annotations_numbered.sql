-- output: annotations
-- grain:  annotation_id
-- inputs: annotation_spans, concept_names
-- params: $first_annotation INTEGER   lowest free annotation_id
--         $first_instance INTEGER   lowest free instance_id
-- what:   Spans with their keys, in the order of proteins and of the input.
with
keyed as (
    select
        s.*,
        n.concept_id
    from annotation_spans as s
    inner join concept_names as n on s.concept = n.given_concept
)

select
    ($first_annotation + row_number() over (order by protein_id, row, item, concept_id, part) - 1)::integer
        as annotation_id,
    ($first_instance + dense_rank() over (order by protein_id, instance_row, item, concept_id) - 1)::integer
        as instance_id,
    protein_id,
    concept_id,
    start,
    stop,
    note,
    evidence
from keyed
