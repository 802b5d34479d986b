-- output: annotation_texts
-- grain:  row, item, part
-- inputs: annotation_lines, known_proteins
-- params: none
-- what:   Rows of an annotation table with their protein and their positions as numbers (NULL where one is
--         no whole number), and the level and category that the concept's first row with one has.
with
texts as (
    select
        row,
        item,
        part,
        place,
        state,
        reason,
        trim(accession) as accession,
        trim(start) as start_text,
        trim(stop) as stop_text,
        nullif(trim(concept), '') as concept,
        nullif(trim(category), '') as category,
        nullif(trim(level), '') as level,
        nullif(trim(instance), '') as instance,
        note,
        evidence
    from annotation_lines
)

select
    t.*,
    p.protein_id,
    p.length,
    if(
        regexp_matches(t.start_text, '^[+-]?\d+(\.0*)?$'),
        try_cast(split_part(t.start_text, '.', 1) as bigint),
        null
    ) as start,
    if(
        regexp_matches(t.stop_text, '^[+-]?\d+(\.0*)?$'),
        try_cast(split_part(t.stop_text, '.', 1) as bigint),
        null
    ) as stop,
    first_value(if(t.level in ('residue', 'domain'), t.level, null) ignore nulls) over concept_rows
        as concept_level,
    first_value(t.category ignore nulls) over concept_rows as concept_category
from texts as t
left join known_proteins as p on t.accession = p.accession
window concept_rows as (
    partition by t.concept order by t.row rows between unbounded preceding and unbounded following
)
