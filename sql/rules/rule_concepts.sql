-- output: rule_concepts
-- grain:  concept_id
-- inputs: concept_support, concepts, heldout_pairs
-- params: $sae VARCHAR  SAE
-- what:   The concepts that rules are searched for: testable ones, with the best single feature on valid and
--         what there is to find. Letters are left out.
select
    c.concept_id,
    c.concept,
    c.source,
    c.level,
    h.feature,
    h.threshold,
    v.n_residues as n_valid_residues,
    v.n_domains as n_valid_domains
from heldout_pairs as h
inner join concepts as c on h.concept = c.concept
inner join concept_support as v on h.sae = v.sae and h.concept = v.concept and v.split = 'valid'
where h.sae = $sae and h.is_best and h.is_testable and c.source <> 'sequence'
