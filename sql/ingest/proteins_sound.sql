-- output: protein_sound
-- grain:  file, row
-- inputs: protein_candidates, protein_faults
-- params: none
-- what:   The rows that have no fault by themselves, with the first sequence that their accession has here.
select
    c.file,
    c.row,
    c.accession,
    c.length,
    c.sequence_md5,
    c.split,
    c.cluster,
    first_value(c.sequence_md5) over (partition by c.accession order by c.file, c.row) as first_md5
from protein_candidates as c
anti join protein_faults as f on c.file = f.file and c.row = f.row
