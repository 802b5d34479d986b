-- output: report_pairs
-- grain:  concept
-- inputs: heldout_pairs, concepts
-- params: $wanted_sae VARCHAR  SAE
-- what:   The best pair of every scored concept: feature and threshold as chosen on valid, and what
--         they give on test.
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
    c.source = 'sequence' as is_amino_acid
from heldout_pairs as h
inner join concepts as c on h.concept = c.concept
where h.sae = $wanted_sae and h.is_best
order by h.test_f1_per_domain desc nulls last, h.concept
