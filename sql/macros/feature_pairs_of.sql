-- output: feature_pairs_of
-- grain:  other_sae, rank
-- inputs: feature_pairs, feature_meanings
-- params: $wanted_sae VARCHAR      SAE
--         $wanted_feature INTEGER  feature, 0-based
--         $wanted_kind VARCHAR     decoder, coactivation or matched
-- what:   The features that are like one feature: by decoder direction, by being active on the same residues,
--         or of other SAEs by correlation; with how far a sampled number may be off and what each finds.
select
    p.other_sae,
    p.rank,
    p.other_feature as feature,
    p.value,
    p.standard_error,
    p.n_both,
    p.n_residues,
    p.null_mean,
    p.q_value,
    p.is_mutual,
    m.concept,
    m.test_f1_per_domain
from feature_pairs as p
left join feature_meanings as m on p.other_sae = m.sae and p.other_feature = m.feature
where p.sae = $wanted_sae and p.feature = $wanted_feature and p.kind = $wanted_kind
order by p.other_sae, p.rank
