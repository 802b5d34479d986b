-- output: explaining_concepts
-- grain:  concept_id, feature, other_id
-- inputs: chosen_pairs, concepts, valid_precision
-- params: none
-- what:   The concepts whose annotations explain why a pair's feature fires: others of its category, and
--         those for which the feature was chosen as well or is, at the pair's threshold, as precise on valid.
select
    p.concept_id,
    p.feature,
    o.concept_id as other_id
from chosen_pairs as p
inner join concepts as c on p.concept_id = c.concept_id
inner join concepts as o on c.source = o.source and c.category = o.category
where o.concept_id <> p.concept_id
union
select
    p.concept_id,
    p.feature,
    o.concept_id as other_id
from chosen_pairs as p
inner join chosen_pairs as o on p.feature = o.feature
where o.concept_id <> p.concept_id
union
select
    p.concept_id,
    p.feature,
    v.concept_id as other_id
from chosen_pairs as p
inner join valid_precision as v on p.feature = v.feature and p.threshold = v.threshold
where v.concept_id <> p.concept_id and v.precision >= p.valid_precision
