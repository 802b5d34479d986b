-- output: paper_shuffles
-- grain:  draw, protein_id, position
-- inputs: paper_centres, proteins
-- params: $first_protein INTEGER  first protein of the block
--         $last_protein INTEGER   last one
--         $n_draws INTEGER        permutations, 5 in the paper
-- what:   Permutations of the residues of each protein, by a number that follows from its sample_key, the
--         draw and the position alone.
with
keyed as (
    select
        d.draw,
        p.protein_id,
        r.position,
        p.sample_key,
        (p.sample_key + (d.draw * 1000003::bigint + r.position) * 1103515245::bigint) % 2147483647 as x
    from proteins as p
    cross join unnest(range(1, p.length + 1)) as r (position)
    cross join unnest(range(1, $n_draws + 1)) as d (draw)
    where
        p.protein_id between $first_protein and $last_protein
        and p.protein_id in (select c.protein_id from paper_centres as c)
)

select
    draw,
    protein_id,
    position,
    row_number() over (
        partition by draw, protein_id
        order by (x * x + sample_key) % 2147483647 asc, position asc
    ) as place
from keyed
