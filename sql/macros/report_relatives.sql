-- output: report_relatives
-- grain:  one row
-- inputs: encodings, proteins, test_relatives
-- params: $wanted_sae VARCHAR  SAE
-- what:   How many of the proteins of test that an SAE has encoded have a relative in valid, and how many of
--         its proteins have a cluster: without one, only the same sequence is known to be a relative.
select
    count(*) filter (where p.split = 'test') as n_test,
    count(*) filter (where r.protein_id is not null) as n_with_relative,
    count(*) filter (where p.split in ('valid', 'test')) as n_held_out,
    count(p.cluster) filter (where p.split in ('valid', 'test')) as n_clustered
from encodings as e
inner join proteins as p on e.protein_id = p.protein_id
left join test_relatives as r on e.protein_id = r.protein_id
where e.sae = $wanted_sae
