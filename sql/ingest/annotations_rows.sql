-- output: annotation_rows
-- grain:  row
-- inputs: annotation_lines, known_proteins
-- params: none
-- what:   Rows of an annotation table with their protein, their numbers and every reason why one cannot be
--         taken. A level or category that a row leaves out is the concept's; without any, the level is
--         'domain' and the category the name up to the first "_".
with
texts as (
    select
        row,
        place,
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
),

numbers as (
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
        first_value(t.level ignore nulls) over concept_rows as concept_level,
        first_value(t.category ignore nulls) over concept_rows as concept_category
    from texts as t
    left join known_proteins as p on t.accession = p.accession
    window concept_rows as (
        partition by t.concept order by t.row rows between unbounded preceding and unbounded following
    )
),

judged as (
    select
        *,
        list_filter(
            [
                case
                    when coalesce(accession, '') = '' then 'no accession'
                    when protein_id is null then 'unknown protein'
                end,
                if(concept is null, 'no concept', null),
                if(level not in ('residue', 'domain'), 'level is neither residue nor domain', null),
                if(
                    level in ('residue', 'domain') and level <> concept_level, 'concept has two levels', null
                ),
                if(category <> concept_category, 'concept has two categories', null),
                case
                    when coalesce(start_text, '') = '' then 'no start'
                    when start is null then 'start is not a whole number'
                    when start < 1 then 'start below 1'
                    when start > length then 'start beyond the end'
                end,
                case
                    when coalesce(stop_text, '') = '' then 'no stop'
                    when stop is null then 'stop is not a whole number'
                    when stop < 1 then 'stop below 1'
                    when start > stop then 'start after stop'
                    when stop > length and start <= length then 'stop beyond the end'
                end
            ],
            lambda reason: reason is not null
        ) as reasons
    from numbers
)

select
    row,
    place,
    accession,
    protein_id,
    start,
    stop,
    concept,
    coalesce(concept_category, split_part(concept, '_', 1)) as category,
    coalesce(concept_level, 'domain') as level,
    instance,
    note,
    evidence,
    reasons,
    concat_ws(
        ' ',
        coalesce(nullif(accession, ''), '(no accession)'),
        coalesce(start_text, '') || '..' || coalesce(stop_text, ''),
        concept,
        if(level is null, null, 'level ' || level),
        if(length is null, null, '(' || length || ' residues)')
    ) as text
from judged
