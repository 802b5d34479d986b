-- output: rules_tried
-- grain:  rule_id
-- inputs: operators, rule_candidates
-- params: $concept_id INTEGER  concept
-- what:   All rules of two features that begin with one of the best by F1; 'and' and 'or' in one order only.
select
    row_number() over (order by a.slot asc, b.slot asc, o.operator asc) as rule_id,
    a.slot as slot_1,
    o.operator as operator_2,
    b.slot as slot_2,
    null::varchar as operator_3,
    b.slot as slot_3,
    (170 & o.second_and) | o.second_or as truth
from rule_candidates as a
inner join rule_candidates as b on a.concept_id = b.concept_id and a.feature <> b.feature
cross join operators as o
where
    a.concept_id = $concept_id and a.is_head
    and (o.operator = 'and not' or a.slot < b.slot or not b.is_head)
