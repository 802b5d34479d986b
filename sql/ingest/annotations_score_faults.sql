-- output: score_faults
-- grain:  row, position_text
-- inputs: score_values, known_proteins
-- params: $allow_gaps BOOLEAN   whether a protein may lack the number of some residues
-- what:   Numbers per residue that cannot be taken, and proteins that lack some.
with
repeated as (
    select
        accession,
        position
    from score_values
    group by accession, position
    having count(*) > 1
),

judged as (
    select
        s.*,
        case
            when p.accession is null then null
            when s.position is null then 'the position is not a whole number'
            when s.position not between 1 and p.length then 'the position is outside the sequence'
            when s.value is null then 'the value is no number'
            when not isfinite(s.value) then 'the value is not finite'
            when d.accession is not null then 'the position is there more than once'
        end as fault
    from score_values as s
    left join known_proteins as p on s.accession = p.accession
    left join repeated as d on s.accession = d.accession and s.position = d.position
),

short as (
    select
        j.accession,
        min(j.row) as row,
        p.length - count(*) as n_missing
    from judged as j
    inner join known_proteins as p on j.accession = p.accession
    group by j.accession, p.length
    having bool_and(j.fault is null) and count(*) < p.length
)

select
    row,
    accession,
    position_text,
    value_text,
    fault
from judged
where fault is not null
union all
select
    row,
    accession,
    '' as position_text,
    null as value_text,
    format('{} residues have no value', n_missing) as fault
from short
where not $allow_gaps
