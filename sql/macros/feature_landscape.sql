-- output: feature_landscape
-- grain:  feature
-- inputs: feature_stats, heldout_pairs, concepts
-- params: $wanted_sae VARCHAR      SAE
--         $k INTEGER = 5000        number of features at most
-- what:   Every feature that is ever present: on how many proteins, on how much of them, and the concept
--         that it finds best on held-out proteins. Beyond k, those that find a concept come first, then
--         a draw of the others.
with
found as (
    select
        h.feature,
        h.concept,
        c.category,
        h.test_f1_per_domain,
        c.source = 'sequence' as is_amino_acid
    from heldout_pairs as h
    inner join concepts as c on h.concept = c.concept
    where h.sae = $wanted_sae and h.is_found
),

meanings as (
    select
        feature,
        concept,
        category,
        test_f1_per_domain
    from found
    qualify
        row_number() over (
            partition by feature
            order by is_amino_acid asc, test_f1_per_domain desc, concept asc
        ) = 1
)

select
    s.feature,
    s.n_proteins,
    s.pct_proteins,
    s.avg_pct_residues_when_present,
    s.mean_activation,
    s.max_activation,
    m.concept,
    m.category,
    m.test_f1_per_domain
from feature_stats as s
left join meanings as m on s.feature = m.feature
where s.sae = $wanted_sae and s.n_proteins > 0
order by
    m.concept is null asc,
    (s.feature::bigint * 1103515245) % 2147483647 asc,
    s.feature asc
limit $k
