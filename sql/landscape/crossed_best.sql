-- output: crossed_best
-- grain:  feature, other_feature
-- inputs: crossed_pairs
-- params: $k INTEGER  pairs of each feature at most, of either SAE
-- what:   The pairs that are among the k most correlated of either feature.
select
    feature,
    other_feature,
    n_both,
    product,
    value
from crossed_pairs
where value > 0
qualify
    row_number() over (partition by feature order by value desc, other_feature asc) <= $k
    or row_number() over (partition by other_feature order by value desc, feature asc) <= $k
