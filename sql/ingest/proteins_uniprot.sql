-- output: protein_rows
-- grain:  row
-- inputs: protein_source
-- params: none
-- what:   Rows of a UniProtKB export; the cofactors have no positions and stay the protein's note.
select
    row,
    is_ragged,
    "Entry" as accession,
    "Protein names" as name,
    "Organism" as organism,
    "Reviewed" = 'reviewed' as reviewed,
    "Sequence" as sequence,
    "Length" as stated_length,
    null::varchar as split,
    null::varchar as cluster,
    null::varchar as is_private,
    "Cofactor" as note
from protein_source
