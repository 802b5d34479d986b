-- output: adhoc_pairs
-- grain:  concept
-- inputs: adhoc_counts, adhoc_support, features, firing, saes
-- params: $sae VARCHAR  SAE
-- what:   For each concept the feature and the threshold that are best on valid, read on test, as in
--         heldout_pairs; every encoded protein without a span counts as one without the concept.
with
measured as (
    select
        c.concept,
        c.split,
        c.feature,
        c.threshold,
        c.tp / f.n_residues::double as "precision",
        c.tp / s.n_residues::double as recall,
        case when s.level = 'domain' then c.n_hit / s.n_domains::double else c.tp / s.n_residues::double end
            as recall_per_domain
    from adhoc_counts as c
    inner join adhoc_support as s on c.concept = s.concept and c.split = s.split
    inner join firing as f on c.split = f.split and c.feature = f.feature and c.threshold = f.threshold
    inner join features as x on c.feature = x.feature
    inner join saes as m on x.sae = m.sae
    where f.sae = $sae and x.sae = $sae and c.threshold * x.max_activation::double >= m.min_value
),

scored as (
    select
        *,
        2 * "precision" * recall / ("precision" + recall) as f1,
        2 * "precision" * recall_per_domain / ("precision" + recall_per_domain) as f1_per_domain
    from measured
),

chosen as (
    select
        *,
        count(*) over (partition by concept) as n_tried
    from scored
    where split = 'valid'
    qualify row_number() over (
        partition by concept order by f1_per_domain desc, f1 desc, threshold desc, feature asc
    ) = 1
),

support as (
    select
        concept,
        max(level) as level,
        coalesce(max(case when split = 'valid' then n_domains end), 0) as n_valid_instances,
        coalesce(max(case when split = 'test' then n_domains end), 0) as n_test_instances,
        coalesce(max(case when split = 'test' then n_residues end), 0) as n_test_residues
    from adhoc_support
    group by concept
)

select
    $sae as sae,
    s.concept,
    s.level,
    c.feature,
    c.threshold,
    c.f1_per_domain as valid_f1_per_domain,
    case when s.n_test_residues > 0 and c.feature is not null then coalesce(t."precision", 0) end
        as test_precision,
    case when s.n_test_residues > 0 and c.feature is not null then coalesce(t.recall_per_domain, 0) end
        as test_recall_per_domain,
    case when s.n_test_residues > 0 and c.feature is not null then coalesce(t.f1_per_domain, 0) end
        as test_f1_per_domain,
    s.n_valid_instances,
    s.n_test_instances,
    s.n_valid_instances >= 5 and s.n_test_instances >= 5 as is_testable,
    s.n_valid_instances >= 5 and s.n_test_instances >= 5
    and coalesce(c.f1_per_domain > 0.5 and t.f1_per_domain > 0.5, false) as is_found,
    coalesce(c.n_tried, 0) as n_tried
from support as s
left join chosen as c on s.concept = c.concept
left join scored as t
    on t.split = 'test' and c.concept = t.concept and c.feature = t.feature and c.threshold = t.threshold
order by s.concept
