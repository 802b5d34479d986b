-- output: score_runs
-- grain:  accession, item
-- inputs: score_values, score_faults, known_proteins
-- params: $at_least DOUBLE   lowest number that passes; NULL where there is no such bound
--         $at_most DOUBLE    highest number that passes; NULL where there is no such bound
-- what:   Runs of consecutive residues whose number passes, in proteins without a fault.
with
passing as (
    select
        s.accession,
        s.row,
        s.position,
        s.position - row_number() over (partition by s.accession order by s.position) as run
    from score_values as s
    semi join known_proteins as p on s.accession = p.accession
    anti join score_faults as f on s.accession = f.accession
    where
        ($at_least is null or s.value >= $at_least)
        and ($at_most is null or s.value <= $at_most)
)

select
    min(row) as row,
    row_number() over (partition by accession order by min(position))::integer as item,
    accession,
    min(position) as start,
    max(position) as stop
from passing
group by accession, run
