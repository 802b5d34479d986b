-- output: annotation_spans
-- grain:  row, concept, item, part
-- inputs: uniprot_spans
-- params: none
-- what:   Spans of an export under their concepts: the category where it is one concept as a whole, else
--         Category_any and, where there is a subtype, Category_subtype. One feature is one instance of each.
with
concepts as (
    select
        *,
        case
            when is_whole then [category]
            when subtype = '' or lower(subtype) = 'any' then [category || '_any']
            else [category || '_' || subtype, category || '_any']
        end as concepts
    from uniprot_spans
    where reason is null
),

named as (
    select
        * exclude (concepts),
        unnest(concepts) as concept
    from concepts
),

placed as (
    select
        * exclude (spans),
        unnest(spans) as span,
        generate_subscripts(spans, 1)::integer as part
    from named
)

select
    row,
    concept,
    item,
    part,
    row as instance_row,
    protein_id,
    category,
    level,
    struct_extract(span, 'start') as start,
    struct_extract(span, 'stop') as stop,
    note,
    evidence
from placed
