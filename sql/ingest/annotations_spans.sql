-- output: annotation_spans
-- grain:  row, item, part
-- inputs: annotation_rows
-- params: none
-- what:   Rows of an annotation table that are taken, each with the first row of its instance: rows of one
--         protein and concept that share an instance are one, a row without is one by itself. Several spans
--         of one row are one instance each, unless they are its parts.
with
taken as (
    select *
    from annotation_rows
    where state = 'span' and len(reasons) = 0
)

select
    row,
    concept,
    if(instance is null, item, 0) as item,
    part,
    if(instance is null, row, min(row) over (partition by protein_id, concept, instance)) as instance_row,
    protein_id,
    category,
    level,
    start::integer as start,
    stop::integer as stop,
    note,
    evidence
from taken
