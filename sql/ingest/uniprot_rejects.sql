-- output: rejects
-- grain:  source, row, reason, text
-- inputs: uniprot_entries, uniprot_spans
-- params: $source VARCHAR   name of the source
--         $first_row BIGINT   rows of the files before this one
-- what:   What was not taken from an export: whole entries, features, and the ends of features that were
--         clipped (a disulfide bond loses the end residue, other features stop with the sequence).
with
faults as (
    select
        row,
        accession,
        reason,
        accession as text
    from uniprot_entries
    where reason is not null
    union all by name
    select
        row,
        accession,
        coalesce(reason, 'clipped: stop beyond the sequence') as reason,
        category || ': ' || text as text
    from uniprot_spans
    where reason is not null or is_clipped
),

counted as (
    select
        *,
        row_number() over (partition by row, reason, text) as occurrence
    from faults
)

select
    $source as source,
    $first_row + row as row,
    nullif(accession, '') as accession,
    reason,
    if(occurrence = 1, text, text || ' (' || occurrence || ')') as text
from counted
