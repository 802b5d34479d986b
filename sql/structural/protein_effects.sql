-- output: protein_effects
-- grain:  feature, protein_id
-- inputs: activations, centres, features, surroundings
-- params: $sae VARCHAR            SAE
--         $first_protein INTEGER  first protein of the block
--         $last_protein INTEGER   last one
-- what:   Mean normalised activation of the contacts, of their controls and of the neighbours in the sequence
--         around the residue where a feature is strongest; none where there are no contacts or neighbours.
with
sizes as (
    select
        protein_id,
        position,
        count(*) filter (where kind = 'contact') as n_contacts,
        count(*) filter (where kind = 'neighbour') as n_neighbours
    from surroundings
    group by protein_id, position
),

tested as (
    select c.feature, c.protein_id, c.position, s.n_contacts, s.n_neighbours
    from centres as c
    inner join sizes as s on c.protein_id = s.protein_id and c.position = s.position
    where s.n_contacts > 0 and s.n_neighbours > 0
),

-- First those of the feature itself: all activations of a protein near all of its centres are many more.
fired as materialized (
    select
        t.feature,
        t.protein_id,
        t.position as centre,
        a.position,
        (a.value / f.max_activation)::float::double as activation
    from tested as t
    inner join activations as a on t.feature = a.feature and t.protein_id = a.protein_id
    inner join features as f on a.sae = f.sae and a.feature = f.feature
    where a.sae = $sae and a.protein_id between $first_protein and $last_protein
),

totals as (
    select f.feature, f.protein_id, s.kind, sum(f.activation) as total
    from fired as f
    inner join surroundings as s
        on f.protein_id = s.protein_id and f.centre = s.position and f.position = s.other_position
    group by f.feature, f.protein_id, s.kind
)

select
    t.feature,
    t.protein_id,
    coalesce(max(f.total) filter (where f.kind = 'contact'), 0) / any_value(t.n_contacts) as contact,
    coalesce(max(f.total) filter (where f.kind = 'control'), 0) / any_value(t.n_contacts) as control,
    coalesce(max(f.total) filter (where f.kind = 'neighbour'), 0) / any_value(t.n_neighbours) as neighbour
from tested as t
left join totals as f on t.feature = f.feature and t.protein_id = f.protein_id
group by t.feature, t.protein_id
