-- output: crossed_pairs
-- grain:  feature, other_feature
-- inputs: sampled_activations, other_activations, sampled_residues, level_sums
-- params: $draw INTEGER           draw
--         $first_feature INTEGER  the feature is at least this
--         $last_feature INTEGER   and at most this
--         $min_both INTEGER       residues with both, from which a pair counts
-- what:   Pearson correlation, over all sampled residues, of the levels of a feature and of one of another
--         SAE, for pairs that are active together.
with
sample as (
    select count(*) as n
    from sampled_residues
),

own as (
    select
        a.residue,
        a.feature,
        a.level
    from sampled_activations as a
    inner join level_sums as s on a.feature = s.feature
    where not s.is_other and a.feature between $first_feature and $last_feature
),

other as (
    select
        o.residue,
        o.feature,
        o.level
    from other_activations as o
    inner join level_sums as s on o.draw = s.draw and o.feature = s.feature
    where s.is_other and o.draw = $draw
),

products as (
    select
        a.feature,
        b.feature as other_feature,
        count(*) as n_both,
        sum(a.level * b.level) as product
    from own as a
    inner join other as b on a.residue = b.residue
    group by a.feature, b.feature
    having count(*) >= $min_both
)

select
    p.feature,
    p.other_feature,
    p.n_both,
    p.product,
    (s.n * p.product - x.total * y.total)
    / nullif(sqrt((s.n * x.squares - x.total ** 2) * (s.n * y.squares - y.total ** 2)), 0) as value
from products as p
cross join sample as s
inner join level_sums as x on p.feature = x.feature and not x.is_other
inner join level_sums as y on p.other_feature = y.feature and y.is_other and y.draw = $draw
