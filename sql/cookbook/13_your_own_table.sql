-- output: your own table
-- grain:  accession
-- inputs: proteins, protein_features
-- params: none
-- what:   How do I join a table of my own? (in the shell, put read_csv('mine.csv') where the values stand)
with
mine as (
    select
        accession,
        length / 100.0 as measured
    from proteins
)

select
    f.feature,
    corr(m.measured, f.activation) as correlation,
    count(*) as n_proteins
from protein_features as f
inner join proteins as p on f.protein_id = p.protein_id
inner join mine as m on p.accession = m.accession
where f.sae = 'demo-sae'
group by f.feature
having count(*) >= 20
order by abs(correlation) desc nulls last, f.feature
limit 10
