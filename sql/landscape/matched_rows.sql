-- output: sampled_pairs
-- grain:  feature, rank
-- inputs: matched_pairs, matched_errors, chance_values, sampled_residues
-- params: $is_other BOOLEAN       whether the rows are about the features of the other SAE
--         $counterpart VARCHAR    SAE with which the features are matched
--         $k INTEGER              pairs of each feature at most
-- what:   The rows of sampled_pairs about features of one SAE that are correlated with those of another.
with
sample as (
    select
        count(*) as n_residues,
        count(distinct protein_id) as n_proteins
    from sampled_residues
),

pairs as (
    select
        case when $is_other then m.other_feature else m.feature end as feature,
        case when $is_other then m.feature else m.other_feature end as other_feature,
        case when $is_other then m.other_rank else m.rank end as rank,
        m.value,
        e.standard_error,
        m.n_both,
        m.rank = 1 and m.other_rank = 1 as is_mutual
    from matched_pairs as m
    inner join matched_errors as e on m.feature = e.feature and m.other_feature = e.other_feature
)

select
    'matched' as kind,
    $counterpart as other_sae,
    p.feature,
    p.rank,
    p.other_feature,
    p.value,
    p.standard_error,
    p.n_both,
    s.n_proteins,
    s.n_residues,
    c.null_mean,
    c.null_highest,
    c.p_value,
    c.q_value,
    p.is_mutual
from pairs as p
cross join sample as s
left join chance_values as c on p.feature = c.feature and c.is_other = $is_other and p.rank = 1
where p.rank <= $k
