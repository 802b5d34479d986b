-- output: features_matched
-- grain:  feature
-- inputs: feature_pairs, feature_meanings
-- params: $left_sae VARCHAR    SAE
--         $right_sae VARCHAR   another, with which its features were matched
--         $k INTEGER = 5000    number of features at most
-- what:   Each feature of one SAE with its best match in another, the most correlated first: the correlation
--         on a sample of residues, what chance gives it, and what either finds on held-out proteins.
select
    p.feature,
    p.other_feature,
    p.value as correlation,
    p.standard_error,
    p.null_mean,
    p.q_value,
    p.is_mutual,
    a.concept,
    b.concept as other_concept,
    p.n_proteins,
    p.n_residues,
    count(*) over () as n_features,
    count(*) filter (where p.q_value < 0.05) over () as n_matched,
    count(*) filter (where p.q_value < 0.05 and p.is_mutual) over () as n_mutual
from feature_pairs as p
left join feature_meanings as a on p.sae = a.sae and p.feature = a.feature
left join feature_meanings as b on p.other_sae = b.sae and p.other_feature = b.feature
where p.sae = $left_sae and p.other_sae = $right_sae and p.kind = 'matched' and p.rank = 1
order by p.value desc, p.feature asc
limit $k
