-- output: annotation_spans
-- grain:  row
-- inputs: annotation_rows
-- params: none
-- what:   Rows of an annotation table that are taken, each with the first row of its instance: rows of one
--         protein and concept that share an instance are one, a row without is one by itself.
with
taken as (
    select *
    from annotation_rows
    where len(reasons) = 0
)

select
    row,
    concept,
    0 as item,
    1 as part,
    if(instance is null, row, min(row) over (partition by protein_id, concept, instance)) as instance_row,
    protein_id,
    category,
    level,
    start::integer as start,
    stop::integer as stop,
    note,
    evidence
from taken
