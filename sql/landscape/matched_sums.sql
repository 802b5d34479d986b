-- output: matched_sums
-- grain:  feature, other_feature, protein_id
-- inputs: matched_pairs, sampled_activations, other_activations
-- params: none
-- what:   Of each correlated pair and each protein with either feature, the sums of the levels x and y of
--         both, of their squares, and of their product.
with
own as (
    select feature, protein_id, sum(level) as total, sum(level * level) as squares
    from sampled_activations
    group by feature, protein_id
),

other as (
    select feature, protein_id, sum(level) as total, sum(level * level) as squares
    from other_activations
    where draw = 0
    group by feature, protein_id
),

together as (
    select m.feature, m.other_feature, a.protein_id, sum(a.level * b.level) as product
    from matched_pairs as m
    inner join sampled_activations as a on m.feature = a.feature
    inner join other_activations as b on a.residue = b.residue and m.other_feature = b.feature
    where b.draw = 0
    group by m.feature, m.other_feature, a.protein_id
),

parts as (
    select m.feature, m.other_feature, o.protein_id, o.total as x, o.squares as xx, 0 as y, 0 as yy, 0 as xy
    from matched_pairs as m
    inner join own as o on m.feature = o.feature
    union all
    select m.feature, m.other_feature, o.protein_id, 0 as x, 0 as xx, o.total as y, o.squares as yy, 0 as xy
    from matched_pairs as m
    inner join other as o on m.other_feature = o.feature
    union all
    select feature, other_feature, protein_id, 0 as x, 0 as xx, 0 as y, 0 as yy, product as xy
    from together
)

select
    feature,
    other_feature,
    protein_id,
    sum(x) as x,
    sum(xx) as xx,
    sum(y) as y,
    sum(yy) as yy,
    sum(xy) as xy
from parts
group by feature, other_feature, protein_id
