-- output: protein_known
-- grain:  accession
-- inputs: proteins
-- params: none
-- what:   What has to be compared with the proteins that the warehouse has already.
select
    protein_id,
    accession,
    md5(sequence) as sequence_md5,
    split,
    cluster
from proteins
