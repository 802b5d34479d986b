-- output: annotation_rows
-- grain:  row, item, part
-- inputs: annotation_texts
-- params: none
-- what:   Rows of an annotation table with every reason why one cannot be taken. A level or category that a
--         row leaves out is the concept's; without any, the level is 'domain' and the category the name up to
--         the first "_". What a format's own reader has found wrong, or left out, is the one reason.
with
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
            lambda one: one is not null
        ) as faults
    from annotation_texts
)

select
    row,
    item,
    part,
    place,
    state,
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
    case
        when state in ('fault', 'left out') then [reason]
        when state = 'looked' then list_filter(faults, lambda one: one in ('no accession', 'unknown protein'))
        else faults
    end as reasons,
    concat_ws(
        ' ',
        coalesce(nullif(accession, ''), '(no accession)'),
        if(state = 'looked', null, coalesce(start_text, '') || '..' || coalesce(stop_text, '')),
        concept,
        if(level is null, null, 'level ' || level),
        if(length is null, null, '(' || length || ' residues)')
    ) as text
from judged
