-- output: best_rules
-- grain:  rule_id
-- inputs: rule_scores
-- params: $n_best INTEGER  rules
-- what:   The best rules by F1 on valid.
select
    rule_id,
    slot_1,
    operator_2,
    slot_2,
    operator_3,
    slot_3,
    truth,
    tp,
    fp,
    tp_per_domain,
    f1,
    f1_per_domain
from rule_scores
order by f1_per_domain desc, f1 desc, rule_id asc
limit $n_best
