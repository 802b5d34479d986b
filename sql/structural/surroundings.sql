-- output: surroundings
-- grain:  protein_id, position, other_position
-- inputs: centres, near_residues, placed_residues
-- params: $max_distance DOUBLE     largest distance of a contact, in Å
--         $min_separation INTEGER  least separation of a contact in the sequence
-- what:   What is compared around each centre: contacts, which are near in space and not in the sequence; for
--         each of them its control, the residue as far away on the other side in the sequence, which is no
--         contact; and the neighbours, up to two residues away in the sequence. A contact without a control
--         is left out, so that contacts and controls have the same separations, one for one.
with
around as (
    select distinct protein_id, position from centres
),

contacts as (
    select
        n.protein_id,
        n.position,
        n.other_position,
        2 * n.position - n.other_position as mirrored
    from near_residues as n
    inner join around as c on n.protein_id = c.protein_id and n.position = c.position
    inner join placed_residues as p on n.protein_id = p.protein_id and n.other_position = p.position
    where
        p.is_kept
        and n.distance <= $max_distance
        and abs(n.position - n.other_position) >= $min_separation
),

matched as (
    select
        c.protein_id,
        c.position,
        c.other_position,
        c.mirrored
    from contacts as c
    inner join placed_residues as p on c.protein_id = p.protein_id and c.mirrored = p.position
    anti join contacts as o
        on c.protein_id = o.protein_id and c.position = o.position and c.mirrored = o.other_position
    where p.is_kept
)

select protein_id, position, other_position, 'contact' as kind
from matched
union all
select protein_id, position, mirrored as other_position, 'control' as kind
from matched
union all
select c.protein_id, c.position, p.position as other_position, 'neighbour' as kind
from around as c
inner join placed_residues as p on c.protein_id = p.protein_id
where p.is_kept and p.position in (c.position - 2, c.position - 1, c.position + 1, c.position + 2)
