-- output: adhoc_faults
-- grain:  fault
-- inputs: given_rows, proteins
-- params: none
-- what:   What is wrong with spans that somebody asks to be scored, each with how often and one example.
with
judged as (
    select
        g.accession,
        g.concept,
        g.start,
        g.stop,
        case
            when g.accession is null or g.concept is null or g.start is null or g.stop is null
                then 'a column is empty'
            when g.level not in ('residue', 'domain') then 'level is neither residue nor domain'
            when p.protein_id is null then 'no such protein'
            when g.start < 1 or g.start > g.stop then 'start is below 1 or beyond stop'
            when g.stop > p.length then 'stop is beyond the sequence'
        end as fault
    from given_rows as g
    left join proteins as p on g.accession = p.accession
),

levels as (
    select concept
    from given_rows
    group by concept
    having count(distinct level) > 1
)

select
    j.fault,
    count(*) as n,
    min(concat(j.accession, ' ', j.start, '..', j.stop, ' ', j.concept)) as example
from judged as j
where j.fault is not null
group by j.fault
union all
select
    'concept has two levels' as fault,
    count(*) as n,
    min(l.concept) as example
from levels as l
having count(*) > 0
order by fault
