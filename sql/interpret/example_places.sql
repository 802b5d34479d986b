-- output: example_places
-- grain:  feature, protein_id
-- inputs: eligible_proteins, example_draws, protein_features
-- params: $sae VARCHAR         SAE
--         $features INTEGER[]  features
-- what:   Every protein that may be an example of some features, in which bin of its highest activation: 0
--         without the feature, 1 to 10 in steps of 0.1, the last one open; and its place in the draw.
with
active as (
    select feature, protein_id, activation, position
    from protein_features
    where sae = $sae and list_contains($features, feature)
),

draws as (
    select feature, protein_id, draw
    from example_draws
    where sae = $sae and list_contains($features, feature)
)

select
    d.feature,
    p.protein_id,
    p.side,
    p.family,
    p.name,
    p.sequence,
    a.position,
    coalesce(a.activation, 0::float) as activation,
    case
        when a.activation is null then 0
        else 1 + len(list_filter(range(1, 10), lambda k: a.activation > (k / 10.0)::float))
    end::integer as bin,
    d.draw
from draws as d
inner join eligible_proteins as p on d.protein_id = p.protein_id
left join active as a on d.feature = a.feature and d.protein_id = a.protein_id
