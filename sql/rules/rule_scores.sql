-- output: rule_scores
-- grain:  rule_id
-- inputs: rule_concepts, rule_instances, rule_masks, rules_tried
-- params: $concept_id INTEGER  concept
-- what:   F1 of each rule on valid, counted as in concept_f1. A rule is its truth table.
with
masks as (
    select mask from rule_masks
    union
    select mask from rule_instances
),

firing as (
    select r.rule_id, m.mask
    from rules_tried as r
    cross join masks as m
    where
        (
            r.truth >> (
                ((m.mask >> r.slot_1) & 1) + 2 * ((m.mask >> r.slot_2) & 1) + 4 * ((m.mask >> r.slot_3) & 1)
            )::integer
        ) & 1 = 1
),

residues as (
    select f.rule_id, sum(m.n_in)::bigint as tp, sum(m.n_out)::bigint as fp
    from firing as f
    inner join rule_masks as m on f.mask = m.mask
    group by f.rule_id
),

instances as (
    select f.rule_id, count(distinct i.instance_id) as n_hit
    from firing as f
    inner join rule_instances as i on f.mask = i.mask
    group by f.rule_id
),

measures as (
    select
        r.rule_id,
        r.tp,
        r.fp,
        case when c.level = 'domain' then coalesce(i.n_hit, 0) end as tp_per_domain,
        r.tp / (r.tp + r.fp)::double as precision,
        r.tp / c.n_valid_residues::double as recall,
        case
            when c.level = 'domain' then coalesce(i.n_hit, 0) / c.n_valid_domains::double
            else r.tp / c.n_valid_residues::double
        end as recall_per_domain
    from residues as r
    cross join rule_concepts as c
    left join instances as i on r.rule_id = i.rule_id
    where c.concept_id = $concept_id and r.tp > 0
)

select
    t.rule_id,
    t.slot_1,
    t.operator_2,
    t.slot_2,
    t.operator_3,
    t.slot_3,
    t.truth,
    m.tp,
    m.fp,
    m.tp_per_domain,
    2 * m.precision * m.recall / (m.precision + m.recall) as f1,
    2 * m.precision * m.recall_per_domain / (m.precision + m.recall_per_domain) as f1_per_domain
from rules_tried as t
inner join measures as m on t.rule_id = m.rule_id
