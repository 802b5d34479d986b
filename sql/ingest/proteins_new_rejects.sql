-- output: rejects
-- grain:  source, row, reason, text
-- inputs: protein_rejects, rejects
-- params: none
-- what:   The rejected rows that are not in `rejects` from an earlier run.
select distinct
    n.source,
    n.row,
    n.accession,
    n.reason,
    n.text
from protein_rejects as n
anti join
    rejects as r
    on
        n.source = r.source and n.row = r.row and n.reason = r.reason
        and n.text is not distinct from r.text
