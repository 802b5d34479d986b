-- output: rules_tried
-- grain:  rule_id
-- inputs: rule_candidates
-- params: $concept_id INTEGER  concept
-- what:   The best single feature, as a rule to compare with.
select
    0::bigint as rule_id,
    slot as slot_1,
    null::varchar as operator_2,
    slot as slot_2,
    null::varchar as operator_3,
    slot as slot_3,
    170 as truth
from rule_candidates
where concept_id = $concept_id and slot = 0
