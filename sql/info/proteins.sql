-- output: proteins
-- grain:  split
-- inputs: proteins
-- params: none
-- what:   Proteins and residues in each split.
select
    split,
    count(*) as n_proteins,
    sum(length)::bigint as n_residues,
    max(length) as longest
from proteins
group by split
order by split
