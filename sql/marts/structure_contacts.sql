-- output: structure_contacts
-- grain:  structure, position, other_position
-- inputs: structure_residues
-- params: none
-- what:   Pairs of positions of one protein whose C-alphas are at most 8 Å apart in one chain.
with
placed as (
    select
        structure,
        protein_id,
        position,
        cast(x as double) as x,
        cast(y as double) as y,
        cast(z as double) as z
    from structure_residues
    where x is not null
),

pairs as (
    select
        a.structure,
        a.protein_id,
        a.position,
        b.position as other_position,
        sqrt(
            (a.x - b.x) * (a.x - b.x) + (a.y - b.y) * (a.y - b.y) + (a.z - b.z) * (a.z - b.z)
        ) as distance
    from placed as a
    inner join placed as b on a.structure = b.structure and a.position < b.position
)

select
    structure,
    protein_id,
    position,
    other_position,
    distance
from pairs
where distance <= 8
