-- output: sampled_pairs
-- grain:  feature, rank
-- inputs: coactive_pairs, coactive_errors, sampled_residues
-- params: $sae VARCHAR  SAE
-- what:   The rows of sampled_pairs about features of one SAE that are active together.
with
sample as (
    select
        count(*) as n_residues,
        count(distinct protein_id) as n_proteins
    from sampled_residues
)

select
    'coactivation' as kind,
    $sae as other_sae,
    c.feature,
    c.rank,
    c.other_feature,
    c.value,
    e.standard_error,
    c.n_both,
    s.n_proteins,
    s.n_residues,
    null::double as null_mean,
    null::double as null_highest,
    null::double as p_value,
    null::double as q_value,
    c.rank = 1 and coalesce(t.rank = 1, false) as is_mutual
from coactive_pairs as c
inner join coactive_errors as e on c.feature = e.feature and c.other_feature = e.other_feature
cross join sample as s
left join coactive_pairs as t on c.feature = t.other_feature and c.other_feature = t.feature
