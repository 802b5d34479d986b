-- output: score_values
-- grain:  row, position_text
-- inputs: format_rows
-- params: none
-- what:   Numbers per residue: one a row with its position, or all those of a protein in one row as a list
--         such as "[0.1, 0.2]" or "0.1;0.2", the first of residue 1. An empty one, "NULL" or "-" is none.
with
trimmed as (
    select
        row,
        trim(accession) as accession,
        trim(position) as position_text,
        trim(value) as value_text,
        regexp_split_to_array(trim(values, ' []()'), '\s*[,; ]\s*') as list
    from format_rows
),

listed as (
    select
        row,
        accession,
        unnest(range(1, len(list) + 1))::varchar as position_text,
        unnest(list) as value_text
    from trimmed
    where list is not null
),

every as (
    select
        row,
        accession,
        position_text,
        value_text
    from trimmed
    where list is null
    union all
    select
        row,
        accession,
        position_text,
        value_text
    from listed
)

select
    row,
    if(accession[1:3] in ('sp|', 'tr|'), split_part(accession, '|', 2), accession) as accession,
    position_text,
    -- 3 and 3.0 are whole numbers, 3.5 and 3e0 are not; a cast alone would round.
    if(
        translate(position_text, '0123456789', '') in ('', '-')
        or regexp_matches(position_text, '^[+-]?\d+(\.0*)?$'),
        try_cast(split_part(position_text, '.', 1) as bigint),
        null
    ) as position,
    nullif(nullif(value_text, ''), '-') as value_text,
    try_cast(value_text as double) as value
from every
where upper(coalesce(value_text, '')) not in ('', '-', 'NULL', 'NONE')
