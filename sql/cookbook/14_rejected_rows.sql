-- output: rejected rows
-- grain:  source, reason
-- inputs: rejects
-- params: none
-- what:   Which rows of the input could not be taken, and why?
select
    source,
    reason,
    count(*) as n_rows,
    min(accession) as for_instance
from rejects
group by source, reason
order by n_rows desc, source, reason
