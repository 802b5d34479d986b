-- output: protein_contacts
-- grain:  structure, position, other_position
-- inputs: structure_residues, proteins
-- params: $wanted_accession VARCHAR   protein
--         $max_distance DOUBLE = 8.0  largest distance, in Å
-- what:   Pairs of positions of one protein whose C-alphas are near each other within one chain, neighbours
--         in the sequence included.
with
placed as (
    select
        r.structure,
        r.position,
        r.x::double as x,
        r.y::double as y,
        r.z::double as z
    from structure_residues as r
    where
        r.protein_id = (select p.protein_id from proteins as p where p.accession = $wanted_accession)
        and r.x is not null
),

pairs as (
    select
        a.structure,
        a.position,
        b.position as other_position,
        sqrt(power(a.x - b.x, 2) + power(a.y - b.y, 2) + power(a.z - b.z, 2)) as distance
    from placed as a
    inner join placed as b on a.structure = b.structure and a.position < b.position
)

select
    structure,
    position,
    other_position,
    distance
from pairs
where distance <= $max_distance
order by structure, position, other_position
