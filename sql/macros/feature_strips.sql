-- output: feature_strips
-- grain:  accession, start
-- inputs: activations, features, proteins
-- params: $wanted_sae VARCHAR             SAE
--         $wanted_feature INTEGER         feature, 0-based
--         $wanted_accessions VARCHAR[]    proteins
--         $n_cells INTEGER = 200          cells per protein at most
--         $most INTEGER = 5000            cells at most, of all proteins together
-- what:   One feature along several proteins: each is cut into cells of equally many residues, and a cell
--         where the feature is active has its highest normalised activation. Many proteins have fewer cells
--         each, and one at least.
with
bounds as (
    select greatest(1, least($n_cells, $most // greatest(1, len($wanted_accessions)))) as n_cells
),

wanted as (
    select
        p.protein_id,
        p.accession,
        p.length,
        greatest(1, ((p.length + b.n_cells - 1) // b.n_cells)::integer) as width
    from proteins as p
    cross join bounds as b
    where list_contains($wanted_accessions, p.accession)
),

active as (
    select
        w.accession,
        w.length,
        w.width,
        (a.position - 1) // w.width as cell,
        (a.value / nullif(f.max_activation, 0))::float as activation
    from activations as a
    inner join wanted as w on a.protein_id = w.protein_id
    inner join features as f on a.sae = f.sae and a.feature = f.feature
    where a.sae = $wanted_sae and a.feature = $wanted_feature
)

select
    accession,
    (cell * width + 1)::integer as start,
    least((cell + 1) * width, length)::integer as stop,
    max(activation) as activation
from active
group by accession, length, width, cell
order by accession, start
