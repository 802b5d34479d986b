-- output: rejects
-- grain:  source, row, reason, text
-- inputs: annotation_rows
-- params: $source VARCHAR   name of the source
-- what:   Rows of an annotation table that are not taken, once per reason.
select
    $source as source,
    row,
    accession,
    unnest(reasons) as reason,
    text
from annotation_rows
