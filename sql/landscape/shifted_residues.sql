-- output: shifted_residues
-- grain:  draw, residue
-- inputs: sampled_residues
-- params: $n_draws INTEGER  draws of chance
-- what:   Which residue of another SAE stands beside each sampled residue: in draw 0 the same one, in the
--         others one that lies further along the protein, beginning again after its end. A draw shifts all
--         residues of a protein alike, by a tenth of its length at least.
with
keyed as (
    select
        d.draw::integer as draw,
        r.residue,
        r.protein_id,
        r.position,
        r.length,
        r.sample_key,
        (r.sample_key + d.draw * 1103515245::bigint) % 2147483647 as x
    from sampled_residues as r
    cross join range($n_draws + 1) as d (draw)
),

shifts as (
    select
        draw,
        residue,
        protein_id,
        position,
        length,
        case
            when draw = 0 then 0
            else
                greatest(
                    floor(length * (0.1 + 0.8 * ((x * x + sample_key) % 2147483647) / 2147483647)), 1
                )::integer
        end as shift
    from keyed
)

select
    draw,
    residue,
    protein_id,
    ((position - 1 + shift) % length + 1)::integer as position
from shifts
