-- output: tested_proteins
-- grain:  source, protein_id
-- inputs: coverage, encodings, proteins, test_relatives
-- params: $saes VARCHAR[]  SAEs that have all encoded them
-- what:   The proteins of test that some SAEs have encoded and a source covers, each with its cluster of
--         relatives, and whether valid has a relative. One without a cluster is its own.
with
encoded as (
    select protein_id
    from encodings
    where list_contains($saes, sae)
    group by protein_id
    having count(distinct sae) = len($saes)
)

select
    v.source,
    p.protein_id,
    p.length,
    dense_rank() over (
        partition by v.source
        order by
            case when p.cluster is null then 1 else 0 end asc,
            p.cluster asc,
            case when p.cluster is null then p.protein_id else 0 end asc
    ) - 1 as cluster_number,
    p.protein_id in (select r.protein_id from test_relatives as r) as has_relative
from proteins as p
inner join encoded as e on p.protein_id = e.protein_id
inner join coverage as v on p.protein_id = v.protein_id
where p.split = 'test'
order by v.source, p.protein_id
