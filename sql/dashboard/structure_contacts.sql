-- output: structure_contacts
-- grain:  start, other_start
-- inputs: none
-- params: $positions INTEGER[]     positions in the protein, 1-based
--         $x DOUBLE[]              C-alpha of each, in Å
--         $y DOUBLE[]              the same
--         $z DOUBLE[]              the same
--         $activations DOUBLE[]    of each, NULL where the feature is not active
--         $max_distance DOUBLE     largest distance, in Å
--         $n_rows INTEGER          cells at most
-- what:   Pairs of positions whose C-alphas are near each other, as in the macro protein_contacts, for
--         coordinates that may be in no table; in cells of as few positions as keep within the number.
with
residues as (
    select
        unnest($positions::integer[]) as position,
        unnest($x::double[]) as x,
        unnest($y::double[]) as y,
        unnest($z::double[]) as z,
        unnest($activations::double[]) as activation
),

-- Both of a pair stand in the same slab of the largest distance, or in two that touch.
slabs as (
    select
        position,
        x,
        y,
        z,
        activation,
        floor(x / $max_distance)::bigint as slab
    from residues
),

near as (
    select
        *,
        unnest([slab - 1, slab, slab + 1]) as other_slab
    from slabs
),

pairs as (
    select
        a.position,
        b.position as other_position,
        sqrt(power(a.x - b.x, 2) + power(a.y - b.y, 2) + power(a.z - b.z, 2)) as distance,
        greatest(a.activation, b.activation) as activation
    from near as a
    inner join slabs as b on a.other_slab = b.slab and a.position < b.position
),

contacts as (
    select
        position,
        other_position,
        distance,
        activation
    from pairs
    where distance <= $max_distance
),

widths as (
    select power(2, exponent)::integer as width
    from unnest(range(0, 15)) as steps (exponent)
),

sizes as (
    select
        w.width,
        count(distinct row((c.position - 1) // w.width, (c.other_position - 1) // w.width)) as n_cells
    from contacts as c
    cross join widths as w
    group by w.width
),

chosen as (
    select coalesce(min(width) filter (where n_cells <= $n_rows), max(width)) as width
    from sizes
)

select
    ((c.position - 1) // w.width * w.width + 1)::integer as start,
    ((c.position - 1) // w.width * w.width + w.width)::integer as stop,
    ((c.other_position - 1) // w.width * w.width + 1)::integer as other_start,
    ((c.other_position - 1) // w.width * w.width + w.width)::integer as other_stop,
    count(*) as n_contacts,
    min(c.distance) as distance,
    max(c.activation) as activation
from contacts as c
cross join chosen as w
group by start, stop, other_start, other_stop
order by start, other_start
