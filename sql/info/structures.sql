-- output: structures
-- grain:  source
-- inputs: structures
-- params: none
-- what:   Structures by what they come from.
select
    source,
    count(*) as n_structures,
    count(distinct protein_id) as n_proteins,
    sum(n_residues_matched)::bigint as n_residues
from structures
group by source
order by source
