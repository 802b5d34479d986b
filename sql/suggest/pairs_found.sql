-- output: chosen_pairs
-- grain:  concept_id, feature
-- inputs: concepts, heldout_pairs
-- params: $sae VARCHAR  SAE
-- what:   The pairs that make suggestions: found on held-out proteins. Letters are never missing.
select
    c.concept_id,
    h.concept,
    c.source,
    c.level,
    h.feature,
    h.threshold,
    h.valid_precision,
    h.test_precision as precision
from heldout_pairs as h
inner join concepts as c on h.concept = c.concept
where h.sae = $sae and h.is_found and c.source <> 'sequence'
