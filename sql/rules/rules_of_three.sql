-- output: rules_tried
-- grain:  rule_id
-- inputs: best_rules, operators, rule_candidates
-- params: $concept_id INTEGER  concept
-- what:   The best rules of two features, each joined by a third one.
with
candidates as (
    select slot, feature
    from rule_candidates
    where concept_id = $concept_id
)

select
    row_number() over (
        order by b.f1_per_domain desc, b.f1 desc, b.rule_id asc, c.slot asc, o.operator asc
    ) as rule_id,
    b.slot_1,
    b.operator_2,
    b.slot_2,
    o.operator as operator_3,
    c.slot as slot_3,
    (b.truth & o.third_and) | o.third_or as truth
from best_rules as b
inner join candidates as x on b.slot_1 = x.slot
inner join candidates as y on b.slot_2 = y.slot
inner join candidates as c on x.feature <> c.feature and y.feature <> c.feature
cross join operators as o
