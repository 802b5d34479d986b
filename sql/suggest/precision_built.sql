-- output: valid_precision
-- grain:  concept_id, feature, threshold
-- inputs: chosen_pairs, concept_f1, concepts
-- params: $sae VARCHAR  SAE
-- what:   How precise, on valid, what makes suggestions is for every scored concept.
select
    c.concept_id,
    f.feature,
    f.threshold,
    f.precision
from concept_f1 as f
inner join concepts as c on f.concept = c.concept
where
    f.sae = $sae and f.split = 'valid' and c.source <> 'sequence'
    and exists (
        select 1 as one
        from chosen_pairs as p
        where p.feature = f.feature and p.threshold = f.threshold
    )
