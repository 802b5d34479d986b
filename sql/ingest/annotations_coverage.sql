-- output: coverage
-- grain:  source, protein_id
-- inputs: covered_proteins
-- params: $source VARCHAR   name of the source
-- what:   Proteins in which a source looked.
select distinct
    $source as source,
    protein_id
from covered_proteins
