-- output: protein_heatmap
-- grain:  feature, start
-- inputs: activations, features, feature_meanings, protein_features, proteins
-- params: $wanted_sae VARCHAR            SAE
--         $wanted_accession VARCHAR      protein
--         $k INTEGER = 40                number of features
--         $n_cells INTEGER = 400         cells of residues at most
--         $known_first BOOLEAN = false   those that find a concept on held-out proteins first
--         $most INTEGER = 50000          cells at most, of all features together
-- what:   The features of one protein along its sequence, cut into cells of equally many residues: each
--         cell where one is active has its highest normalised activation. The strongest features come
--         first, or those with a meaning; rank is their order.
with
bounds as (
    select greatest(1, least($n_cells, $most // greatest(1, $k))) as n_cells
),

wanted as (
    select
        p.protein_id,
        p.length,
        greatest(1, ((p.length + b.n_cells - 1) // b.n_cells)::integer) as width
    from proteins as p
    cross join bounds as b
    where p.accession = $wanted_accession
),

meanings as (
    select
        c.feature,
        c.concept
    from feature_meanings as c
    where c.sae = $wanted_sae and not c.is_amino_acid
),

ranked as (
    select
        f.feature,
        m.concept,
        row_number() over (
            order by
                $known_first and m.concept is null asc,
                f.activation desc,
                f.feature asc
        ) as rank
    from protein_features as f
    left join meanings as m on f.feature = m.feature
    where f.sae = $wanted_sae and f.protein_id = (select w.protein_id from wanted as w)
),

shown as (
    select *
    from ranked
    where rank <= $k
),

cells as (
    select
        a.feature,
        w.length,
        w.width,
        (a.position - 1) // w.width as cell,
        max((a.value / nullif(x.max_activation, 0))::float) as activation
    from activations as a
    inner join wanted as w on a.protein_id = w.protein_id
    inner join features as x on a.sae = x.sae and a.feature = x.feature
    where
        a.sae = $wanted_sae
        and a.protein_id = (select q.protein_id from wanted as q)
        and a.feature in (select s.feature from shown as s)
    group by a.feature, w.length, w.width, (a.position - 1) // w.width
)

select
    s.rank::integer as rank,
    c.feature,
    s.concept,
    (c.cell * c.width + 1)::integer as start,
    least((c.cell + 1) * c.width, c.length)::integer as stop,
    c.activation
from cells as c
inner join shown as s on c.feature = s.feature
order by s.rank, c.cell
