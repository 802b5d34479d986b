-- output: block_segments
-- grain:  segment
-- inputs: block_proteins, counted_spans
-- params: $sae VARCHAR            SAE
--         $first_protein INTEGER  first protein of the block
--         $last_protein INTEGER   last protein of the block
-- what:   The proteins of a block, cut wherever a span begins or ends, so that all residues of a segment
--         have the same labels, and after 2,047 residues; stretches without a label are left out.
with
edges as (
    select protein_id, start as edge, 1 as step
    from counted_spans
    where sae = $sae and protein_id between $first_protein and $last_protein
    union all
    select protein_id, stop + 1 as edge, -1 as step
    from counted_spans
    where sae = $sae and protein_id between $first_protein and $last_protein
),

cuts as (
    select protein_id, edge, sum(step) as step
    from edges
    group by protein_id, edge
),

stretches as (
    select
        protein_id,
        edge as start,
        lead(edge) over (partition by protein_id order by edge asc) - 1 as stop,
        sum(step) over (
            partition by protein_id order by edge asc rows between unbounded preceding and current row
        ) as n_spans
    from cuts
),

pieces as (
    select
        s.protein_id,
        s.start + 2047 * r.n::integer as start,
        least(s.stop, s.start + 2047 * r.n::integer + 2046) as stop
    from stretches as s
    cross join unnest(range(0, (s.stop - s.start) // 2047 + 1)) as r (n)
    where s.n_spans > 0
)

select
    row_number() over (order by s.protein_id asc, s.start asc)::integer as segment,
    s.protein_id,
    s.start,
    s.stop,
    p.first_place
from pieces as s
inner join block_proteins as p on s.protein_id = p.protein_id
