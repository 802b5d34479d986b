-- output: protein_rows
-- grain:  row
-- inputs: protein_source
-- params: none
-- what:   Rows of a UniProtKB export; the cofactors have no positions and stay the protein's note.
select
    row,
    is_ragged,
    entry as accession,
    "protein names" as name,
    organism,
    reviewed = 'reviewed' as reviewed,
    sequence,
    length as stated_length,
    null::varchar as split,
    null::varchar as cluster,
    null::varchar as is_private,
    cofactor as note
from protein_source
