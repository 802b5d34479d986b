-- output: paper_surroundings
-- grain:  protein_id, position, other_position, kind
-- inputs: near_residues, paper_centres, proteins
-- params: $first_protein INTEGER  first protein of the block
--         $last_protein INTEGER   last one
--         $paper_distance DOUBLE   largest distance, 6 Å in the paper
-- what:   What the paper compares around each centre: all C-alphas near it, the neighbours in the sequence
--         among them, and the two residues before and after it.
with
around as (
    select distinct c.protein_id, c.position, p.length
    from paper_centres as c
    inner join proteins as p on c.protein_id = p.protein_id
    where c.protein_id between $first_protein and $last_protein
)

select n.protein_id, n.position, n.other_position, 'structural' as kind
from near_residues as n
inner join around as c on n.protein_id = c.protein_id and n.position = c.position
where n.distance <= $paper_distance
union all
select protein_id, position, position + steps.step as other_position, 'sequential' as kind
from around
cross join unnest([-2, -1, 1, 2]) as steps (step)
where position + steps.step between 1 and length
