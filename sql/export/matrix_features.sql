-- output: matrix_features
-- grain:  feature
-- inputs: saes, features, feature_stats, heldout_pairs
-- params: $sae VARCHAR  name of the SAE
-- what:   Every feature of an SAE, in the order of the columns of a matrix, with its best concept.
with best as (
    select
        h.feature,
        h.concept,
        h.test_f1_per_domain,
        h.is_found,
        row_number()
            over (partition by h.feature order by h.test_f1_per_domain desc nulls last, h.concept)
            as place
    from heldout_pairs as h
    where h.sae = $sae and h.is_best
),

numbers as (
    select unnest(range(0, s.n_features))::integer as feature
    from saes as s
    where s.sae = $sae
)

select
    n.feature,
    f.max_activation,
    t.n_residues,
    t.n_proteins,
    t.mean_activation,
    b.concept,
    b.test_f1_per_domain as concept_f1,
    b.is_found as is_concept_found
from numbers as n
left join features as f on n.feature = f.feature and f.sae = $sae
left join feature_stats as t on n.feature = t.feature and t.sae = $sae
left join best as b on n.feature = b.feature and b.place = 1
order by n.feature
