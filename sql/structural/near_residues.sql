-- output: near_residues
-- grain:  protein_id, position, other_position
-- inputs: centres, paper_centres, placed_residues
-- params: $widest DOUBLE  largest distance, in Å
-- what:   The residues whose C-alphas are near those around which features are compared, at most one row for
--         each of the two; the neighbours in the sequence are among them.
with
wanted as (
    select protein_id, position from centres
    union
    select protein_id, position from paper_centres
),

placed as (
    select p.protein_id, p.position, p.x, p.y, p.z
    from placed_residues as p
    inner join wanted as w on p.protein_id = w.protein_id and p.position = w.position
),

pairs as (
    select
        a.protein_id,
        a.position,
        b.position as other_position,
        sqrt(power(a.x - b.x, 2) + power(a.y - b.y, 2) + power(a.z - b.z, 2)) as distance
    from placed as a
    inner join placed_residues as b on a.protein_id = b.protein_id and a.position <> b.position
)

select
    protein_id,
    position,
    other_position,
    distance
from pairs
where distance <= $widest
