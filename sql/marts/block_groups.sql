-- output: block_groups
-- grain:  protein_id
-- inputs: block_proteins, coverage
-- params: $first_protein INTEGER  first protein of the block
--         $last_protein INTEGER   last protein of the block
-- what:   The proteins of a block, in groups of one split that the same sources cover.
with
covered as (
    select protein_id, string_agg(source, chr(10) order by source asc) as sources
    from coverage
    where protein_id between $first_protein and $last_protein
    group by protein_id
)

select
    p.protein_id,
    p.split,
    dense_rank() over (order by p.split asc, coalesce(c.sources, '') asc)::integer as protein_group
from block_proteins as p
left join covered as c on p.protein_id = c.protein_id
