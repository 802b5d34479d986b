-- output: live_cells
-- grain:  feature, start
-- inputs: live_activations, live_features, features
-- params: $sae VARCHAR       SAE
--         $sequence VARCHAR  name of the sequence
--         $length INTEGER    its residues
--         $k INTEGER         number of features
--         $n_cells INTEGER   cells of residues at most
-- what:   The strongest features of a sequence that was encoded just now, along it, as `protein_heatmap`
--         has those of a protein.
with
wanted as (
    select greatest(1, (($length + $n_cells - 1) // $n_cells)::integer) as width
),

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
        w.width,
        (a.position - 1) // w.width as cell,
        max((a.value / nullif(f.max_activation, 0))::float) as activation
    from live_activations as a
    inner join ranked as r on a.feature = r.feature
    inner join features as f on a.feature = f.feature
    cross join wanted as w
    where a.sequence = $sequence and f.sae = $sae and r.rank <= $k
    group by r.rank, r.feature, r.concept, w.width, (a.position - 1) // w.width
)

select
    rank::integer as rank,
    feature,
    concept,
    (cell * width + 1)::integer as start,
    least((cell + 1) * width, $length)::integer as stop,
    activation
from cells
order by rank, cell
