-- output: report_summary
-- grain:  sae
-- inputs: heldout_pairs, concepts, concept_support, encodings, feature_stats, features, pair_evidence, saes,
--         scored_concepts
-- params: $wanted_sae VARCHAR  SAE
-- what:   What one SAE finds on held-out proteins. Amino acids are counted apart, and so are concepts
--         that are not testable; the mean is over the testable ones.
with
pairs as (
    select
        h.concept,
        h.feature,
        h.is_best,
        h.is_found,
        h.is_testable,
        h.test_f1_per_domain,
        c.source = 'sequence' as is_amino_acid
    from heldout_pairs as h
    inner join concepts as c on h.concept = c.concept
    where h.sae = $wanted_sae
),

counts as (
    select
        count(distinct concept) filter (where not is_amino_acid) as n_concepts_with_pair,
        count(distinct concept) filter (where is_found and not is_amino_acid) as n_concepts_found,
        count(distinct feature) filter (where is_found and not is_amino_acid) as n_features_with_concept,
        count(*) filter (
            where is_best and not is_testable and not is_amino_acid
        ) as n_not_testable,
        avg(test_f1_per_domain) filter (
            where is_best and is_testable and not is_amino_acid
        ) as mean_best_test_f1,
        count(distinct concept) filter (where is_found and is_amino_acid) as n_amino_acids_found
    from pairs
),

evidence as (
    select
        max(v.n_tried) as n_tried,
        max(v.n_tested) as n_tested,
        count(*) filter (where v.is_claimed) as n_claimed,
        count(*) filter (where v.is_best) as n_concepts_tested,
        count(*) filter (where v.is_concept_claimed) as n_concepts_claimed,
        max(v.fdr) as fdr,
        max(v.n_relatives) as n_relatives,
        avg(v.f1_without_relatives) filter (where v.is_best) as mean_best_f1_without_relatives
    from pair_evidence as v
    where v.sae = $wanted_sae
),

scored as (
    select count(*) as n_concepts
    from scored_concepts as s
    where s.sae = $wanted_sae and s.source != 'sequence'
)

select
    $wanted_sae as sae,
    (select max(r.role) from saes as r where r.sae = $wanted_sae) as role,
    (select max(r.control_of) from saes as r where r.sae = $wanted_sae) as control_of,
    (select count(*) from encodings as e where e.sae = $wanted_sae) as n_proteins,
    (select count(*) from features as f where f.sae = $wanted_sae) as n_features,
    (
        select count(*) from features as f
        where f.sae = $wanted_sae and f.max_activation = 0
    ) as n_dead_features,
    (
        select count(*) from feature_stats as t
        where t.sae = $wanted_sae and t.n_unscaled > 0
    ) as n_unscaled_features,
    (
        select count(distinct s.concept)
        from concept_support as s
        inner join concepts as o on s.concept = o.concept
        where s.sae = $wanted_sae and o.source != 'sequence' and s.n_residues > 0
    ) as n_concepts_annotated,
    d.n_concepts,
    d.n_concepts - c.n_concepts_with_pair as n_concepts_without_pair,
    c.n_concepts_found,
    c.n_features_with_concept,
    c.n_not_testable,
    c.mean_best_test_f1,
    c.n_amino_acids_found,
    w.n_tried,
    w.n_tested,
    w.n_claimed,
    w.n_concepts_tested,
    w.n_concepts_claimed,
    w.fdr,
    w.n_relatives,
    w.mean_best_f1_without_relatives
from counts as c
cross join scored as d
cross join evidence as w
