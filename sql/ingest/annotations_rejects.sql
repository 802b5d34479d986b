-- output: rejects
-- grain:  source, row, reason, text
-- inputs: annotation_rows
-- params: $source VARCHAR   name of the source
-- what:   Rows of an annotation table that are not taken, with all reasons.
select distinct
    $source as source,
    row,
    nullif(accession, '') as accession,
    array_to_string(reasons, ', ') as reason,
    text
from annotation_rows
where len(reasons) > 0
