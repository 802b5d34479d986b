-- output: paper_effects
-- grain:  feature, protein_id
-- inputs: activations, features, paper_centres, paper_shuffles, paper_surroundings
-- params: $sae VARCHAR            SAE
--         $n_draws INTEGER        permutations, 5 in the paper
--         $first_protein INTEGER  first protein of the block
--         $last_protein INTEGER   last one
-- what:   Mean normalised activation near a protein's maximum, in space and in the sequence, and the same
--         with the activations of all other residues permuted, as the mean over permutations. Which are
--         permuted the paper leaves open: here all but the maximum, which stays where it is.
with
sizes as (
    select
        protein_id,
        position,
        count(*) filter (where kind = 'structural') as n_structural,
        count(*) filter (where kind = 'sequential') as n_sequential
    from paper_surroundings
    group by protein_id, position
),

tested as (
    select c.feature, c.protein_id, c.position, s.n_structural, s.n_sequential
    from paper_centres as c
    inner join sizes as s on c.protein_id = s.protein_id and c.position = s.position
    where s.n_structural > 0 and s.n_sequential > 0
),

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
    where
        a.sae = $sae
        and a.protein_id between $first_protein and $last_protein
        and a.position <> t.position
),

-- Step by step: two joins at once would pair all residues of a protein with all.
ranked as materialized (
    select f.feature, f.protein_id, f.centre, f.activation, s.draw, s.place
    from fired as f
    inner join paper_shuffles as s on f.protein_id = s.protein_id and f.position = s.position
),

others as (
    select r.*, r.place - (r.place > c.place)::integer as place_among_others
    from ranked as r
    inner join paper_shuffles as c
        on r.protein_id = c.protein_id and r.centre = c.position and r.draw = c.draw
),

moved as (
    select feature, protein_id, centre, 0 as draw, position, activation
    from fired
    union all
    select
        feature,
        protein_id,
        centre,
        draw,
        place_among_others + (place_among_others >= centre)::integer as position,
        activation
    from others
),

sums as (
    select
        m.feature,
        m.protein_id,
        s.kind,
        coalesce(sum(m.activation) filter (where m.draw = 0), 0) as total,
        coalesce(sum(m.activation) filter (where m.draw > 0), 0) / $n_draws as shuffled
    from moved as m
    inner join paper_surroundings as s
        on m.protein_id = s.protein_id and m.centre = s.position and m.position = s.other_position
    group by m.feature, m.protein_id, s.kind
)

select
    t.feature,
    t.protein_id,
    coalesce(max(s.total) filter (where s.kind = 'structural'), 0) / any_value(t.n_structural) as structural,
    coalesce(max(s.shuffled) filter (where s.kind = 'structural'), 0) / any_value(t.n_structural)
        as structural_shuffled,
    coalesce(max(s.total) filter (where s.kind = 'sequential'), 0) / any_value(t.n_sequential) as sequential,
    coalesce(max(s.shuffled) filter (where s.kind = 'sequential'), 0) / any_value(t.n_sequential)
        as sequential_shuffled
from tested as t
left join sums as s on t.feature = s.feature and t.protein_id = s.protein_id
group by t.feature, t.protein_id
