-- output: protein_rejects
-- grain:  file, row, reason
-- inputs: protein_candidates, protein_faults, protein_conflicts
-- params: none
-- what:   Every fault of every row, with what `rejects` keeps of it.
with
faults as (
    select
        file,
        row,
        reason,
        text
    from protein_faults
    union all
    select
        file,
        row,
        reason,
        text
    from protein_conflicts
)

select
    c.file,
    c.source,
    c.row,
    c.is_export,
    left(c.accession, 128) as accession,
    f.reason,
    f.text
from faults as f
inner join protein_candidates as c on f.file = c.file and f.row = c.row
