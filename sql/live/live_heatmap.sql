-- output: live_heatmap
-- grain:  feature, start
-- inputs: live_activations, live_features, features
-- params: $sae VARCHAR       SAE
--         $sequence VARCHAR  name of the sequence
--         $length INTEGER    its residues
--         $k INTEGER         number of features
--         $n_cells INTEGER   cells of residues at most
-- what:   The strongest features of a sequence that was encoded just now along its residues, cut into cells
--         of equally many: each cell where one is active has its highest normalised activation. rank is
--         their order.
with
ranked as (
    select
        l.feature,
        l.concept,
        row_number() over (order by l.activation desc, l.feature asc) as rank
    from live_features as l
    where l.sequence = $sequence
),

cells as (
    select
        r.rank,
        r.feature,
        r.concept,
        (a.position - 1) // greatest(1, ($length + $n_cells - 1) // $n_cells) as cell,
        max((a.value / nullif(f.max_activation, 0))::float) as activation
    from live_activations as a
    inner join ranked as r on a.feature = r.feature
    inner join features as f on a.feature = f.feature
    where a.sequence = $sequence and f.sae = $sae and r.rank <= $k
    group by
        r.rank, r.feature, r.concept, (a.position - 1) // greatest(1, ($length + $n_cells - 1) // $n_cells)
)

select
    c.rank::integer as rank,
    c.feature,
    c.concept,
    (c.cell * greatest(1, ($length + $n_cells - 1) // $n_cells) + 1)::integer as start,
    least((c.cell + 1) * greatest(1, ($length + $n_cells - 1) // $n_cells), $length)::integer as stop,
    c.activation
from cells as c
order by c.rank, c.cell
