-- output: protein_counts
-- grain:  what
-- inputs: protein_candidates, protein_fates
-- params: none
-- what:   How many rows met each fate, and how many of the sound ones had their sequence tidied.
select
    fate as what,
    count(*) as n
from protein_fates
group by fate
union all
select
    unnest(['upper', 'stop', 'space']) as what,
    unnest([
        count(*) filter (where c.was_lower),
        count(*) filter (where c.had_stop),
        count(*) filter (where c.had_space)
    ]) as n
from protein_candidates as c
inner join protein_fates as f on c.file = f.file and c.row = f.row
where f.fate <> 'bad'
