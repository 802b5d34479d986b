-- output: block_proteins
-- grain:  protein_id
-- inputs: coverage, encodings, proteins
-- params: $sae VARCHAR            SAE
--         $first_protein INTEGER  first protein of the block
--         $last_protein INTEGER   last protein of the block
-- what:   The encoded proteins of a block, laid end to end: a residue's place in the block is
--         first_place + position. Proteins of one split that the same sources cover are one group.
with
encoded as (
    select p.protein_id, p.split, p.length
    from proteins as p
    inner join encodings as e on p.protein_id = e.protein_id
    where e.sae = $sae and p.protein_id between $first_protein and $last_protein
),

covered as (
    select protein_id, string_agg(source, chr(10) order by source asc) as sources
    from coverage
    where protein_id between $first_protein and $last_protein
    group by protein_id
)

select
    e.protein_id,
    e.split,
    dense_rank() over (order by e.split asc, coalesce(c.sources, '') asc)::integer as protein_group,
    (sum(e.length) over (order by e.protein_id asc) - e.length)::integer as first_place
from encoded as e
left join covered as c on e.protein_id = c.protein_id
