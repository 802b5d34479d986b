-- output: feature_pairs
-- grain:  sae, kind, other_sae, feature, rank
-- inputs: decoder_neighbours, sampled_pairs
-- params: none
-- what:   Pairs of features that are alike: by decoder direction, which is exact; by activation on the same
--         residues, which is estimated from a sample, within one SAE and between two.
select
    sae,
    'decoder' as kind,
    sae as other_sae,
    feature,
    rank,
    neighbour as other_feature,
    cosine::double as value,
    null::double as standard_error,
    null::bigint as n_both,
    null::bigint as n_proteins,
    null::bigint as n_residues,
    null::double as null_mean,
    null::double as null_highest,
    null::double as p_value,
    null::double as q_value,
    null::boolean as is_mutual
from decoder_neighbours
union all
select
    sae,
    kind,
    other_sae,
    feature,
    rank,
    other_feature,
    value,
    standard_error,
    n_both,
    n_proteins,
    n_residues,
    null_mean,
    null_highest,
    p_value,
    q_value,
    is_mutual
from sampled_pairs
