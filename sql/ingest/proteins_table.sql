-- output: protein_rows
-- grain:  row
-- inputs: protein_source
-- params: none
-- what:   Rows of a CSV, TSV or Parquet file of proteins.
select
    row,
    is_ragged,
    accession,
    name,
    organism,
    null::boolean as reviewed,
    sequence,
    null::varchar as stated_length,
    split,
    cluster,
    is_private,
    null::varchar as note
from protein_source
