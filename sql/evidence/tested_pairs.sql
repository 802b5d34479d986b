-- output: tested_pairs
-- grain:  concept, feature
-- inputs: concepts, heldout_pairs
-- params: $sae VARCHAR       SAE
--         $is_best BOOLEAN   the best pair of each concept alone
-- what:   The pairs whose evidence is weighed: feature and threshold frozen on valid, of concepts that test
--         can say something about. Letters of the sequence have no annotations to move.
select
    h.concept,
    h.feature,
    h.threshold,
    c.concept_id,
    c.level,
    c.source
from heldout_pairs as h
inner join concepts as c on h.concept = c.concept
where h.sae = $sae and h.is_testable and c.source != 'sequence' and (h.is_best or not $is_best)
order by c.source, h.concept, h.feature
