-- output: level_sums
-- grain:  draw, is_other, feature
-- inputs: sampled_activations, other_activations
-- params: $min_residues INTEGER  sampled residues on which a feature is active, from which it is matched
-- what:   Sums over the sample of the levels of each feature that is active on enough of it; on how much
--         of it, draw 0 says.
with
summed as (
    select
        0 as draw,
        false as is_other,
        feature,
        count(*) as n_active,
        sum(level) as total,
        sum(level * level) as squares
    from sampled_activations
    group by feature
    union all
    select
        draw,
        true as is_other,
        feature,
        count(*) as n_active,
        sum(level) as total,
        sum(level * level) as squares
    from other_activations
    group by draw, feature
),

enough as (
    select is_other, feature
    from summed
    where draw = 0 and n_active >= $min_residues
)

select
    s.draw,
    s.is_other,
    s.feature,
    s.total,
    s.squares
from summed as s
inner join enough as e on s.is_other = e.is_other and s.feature = e.feature
