-- output: pair_counts
-- grain:  feature, other_feature
-- inputs: sampled_activations
-- params: $first_feature INTEGER  the lower feature of a pair is at least this
--         $last_feature INTEGER   and at most this
--         $min_both INTEGER       residues with both, from which a pair counts
-- what:   On how many sampled residues two features are active together, the lower feature first.
select
    a.feature,
    b.feature as other_feature,
    count(*) as n_both
from sampled_activations as a
inner join sampled_activations as b on a.residue = b.residue and a.feature < b.feature
where a.feature between $first_feature and $last_feature
group by a.feature, b.feature
having count(*) >= $min_both
