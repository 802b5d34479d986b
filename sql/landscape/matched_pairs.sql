-- output: matched_pairs
-- grain:  feature, other_feature
-- inputs: crossed_best
-- params: $k INTEGER  pairs of each feature at most, of either SAE
-- what:   The most correlated pairs, with the place that either feature has among those of the other.
select
    feature,
    other_feature,
    n_both,
    product,
    value,
    (row_number() over (partition by feature order by value desc, other_feature asc))::integer as rank,
    (row_number() over (partition by other_feature order by value desc, feature asc))::integer as other_rank
from crossed_best
qualify
    row_number() over (partition by feature order by value desc, other_feature asc) <= $k
    or row_number() over (partition by other_feature order by value desc, feature asc) <= $k
