-- output: heldout_pairs
-- grain:  sae, concept, feature
-- inputs: concept_f1, concept_support, scored_concepts, source_firing
-- params: $sae VARCHAR  SAE
-- what:   Pairs whose feature and threshold were chosen on valid, read on test: the best pair of every
--         concept, and every pair above 0.5. A concept is testable with five instances in each split;
--         a letter's residues are its instances.
with
support as (
    select
        c.concept,
        c.source,
        max(case when s.split = 'test' then s.n_residues else 0 end) as n_test_residues,
        count(*) filter (
            where case when c.source = 'sequence' then s.n_residues else s.n_domains end >= 5
        ) = 2 as is_testable
    from scored_concepts as c
    inner join concept_support as s on c.sae = s.sae and c.concept = s.concept
    where c.sae = $sae and s.split in ('valid', 'test')
    group by c.concept, c.source
),

highest as (
    select concept, max(f1_per_domain) as f1_per_domain
    from concept_f1
    where sae = $sae and split = 'valid'
    group by concept
),

-- Of millions of scores few can be above 0.5 or the best of their concept: only those are ordered.
chosen as (
    select
        c.concept, c.feature, c.threshold, c.f1_per_domain, c.f1, c.precision, c.recall_per_domain,
        row_number() over (
            partition by c.concept
            order by c.f1_per_domain desc, c.f1 desc, c.threshold desc, c.feature asc
        ) = 1 as is_best
    from concept_f1 as c
    inner join highest as h on c.concept = h.concept
    where c.sae = $sae and c.split = 'valid' and (c.f1_per_domain > 0.5 or c.f1_per_domain = h.f1_per_domain)
    qualify row_number() over (
        partition by c.concept, c.feature order by c.f1_per_domain desc, c.f1 desc, c.threshold desc
    ) = 1
),

pairs as (
    select
        r.*,
        s.is_testable,
        case when s.n_test_residues > 0 then coalesce(t.f1_per_domain, 0::double) end as test_f1_per_domain,
        case when s.n_test_residues > 0 then coalesce(t.recall_per_domain, 0::double) end as test_recall,
        case when s.n_test_residues > 0 and f.n_residues > 0 then coalesce(t.precision, 0::double) end
            as test_precision
    from chosen as r
    inner join support as s on r.concept = s.concept
    left join concept_f1 as t
        on
            t.sae = $sae and t.split = 'test' and r.concept = t.concept
            and r.feature = t.feature and r.threshold = t.threshold
    left join source_firing as f
        on
            f.sae = $sae and f.split = 'test' and s.source = f.source
            and r.feature = f.feature and r.threshold = f.threshold
    where r.is_best or r.f1_per_domain > 0.5
)

select
    $sae as sae, concept, feature, threshold,
    f1_per_domain as valid_f1_per_domain,
    precision as valid_precision,
    recall_per_domain as valid_recall_per_domain,
    test_f1_per_domain,
    test_precision,
    test_recall as test_recall_per_domain,
    is_best, is_testable,
    is_testable and f1_per_domain > 0.5 and coalesce(test_f1_per_domain > 0.5, false) as is_found
from pairs
