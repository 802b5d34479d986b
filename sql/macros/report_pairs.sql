-- output: report_pairs
-- grain:  concept
-- inputs: heldout_pairs, concepts, pair_evidence, control_excess
-- params: $wanted_sae VARCHAR  SAE
-- what:   The best pair of every scored concept: feature and threshold as chosen on valid, and what
--         they give on test; where it was weighed by score, how sure that is, and what the best control
--         gives on the proteins that both have.
select
    h.concept,
    h.feature,
    h.threshold,
    h.test_precision,
    h.test_recall_per_domain,
    h.test_f1_per_domain,
    h.valid_f1_per_domain,
    h.is_testable,
    h.is_found,
    c.source = 'sequence' as is_amino_acid,
    e.f1_low,
    e.f1_high,
    e.q_best,
    e.is_concept_claimed,
    e.n_positive_clusters,
    e.f1_without_relatives,
    x.control,
    x.control_role,
    x.control_f1,
    x.excess,
    x.excess_low,
    x.excess_high
from heldout_pairs as h
inner join concepts as c on h.concept = c.concept
left join pair_evidence as e
    on h.sae = e.sae and h.concept = e.concept and h.feature = e.feature and h.threshold = e.threshold
left join control_excess as x
    on
        h.sae = x.sae and h.concept = x.concept and h.feature = x.feature and h.threshold = x.threshold
        and x.is_best_control
where h.sae = $wanted_sae and h.is_best
order by h.test_f1_per_domain desc nulls last, h.concept
