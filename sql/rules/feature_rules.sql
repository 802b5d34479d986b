-- output: feature_rules
-- grain:  sae, concept, n_features
-- inputs: compared_rules, rule_candidates, rule_clusters, rule_concepts, rule_gains
-- params: $sae VARCHAR         SAE
--         $concept_id INTEGER  concept
--         $n_tried INTEGER     rules that were tried
-- what:   The best rule of two features, and of three, beside the best single feature. Rule 0 is that
--         feature.
with
tested as (
    select
        k.rule_id,
        sum(k.tp)::bigint as tp,
        sum(k.n_fired - k.tp)::bigint as fp,
        sum(k.n_hit)::bigint as n_hit,
        sum(k.n_hit)::double / nullif(sum(k.n_to_find), 0) as recall,
        sum(k.tp)::double / nullif(sum(k.n_fired), 0) as precision,
        count(*) as n_clusters
    from rule_clusters as k
    group by k.rule_id
),

scores as (
    select
        r.*,
        t.tp as test_tp,
        t.fp as test_fp,
        case when r.tp_per_domain is not null then t.n_hit end as test_tp_per_domain,
        coalesce(2 * t.precision * t.recall / nullif(t.precision + t.recall, 0), 0) as test_f1,
        t.n_clusters
    from compared_rules as r
    inner join tested as t on r.rule_id = t.rule_id
),

named as (
    select
        s.*,
        a.feature as feature_1,
        a.threshold as threshold_1,
        b.feature as feature_2,
        b.threshold as threshold_2,
        case when s.operator_3 is not null then c.feature end as feature_3,
        case when s.operator_3 is not null then c.threshold end as threshold_3
    from scores as s
    inner join rule_candidates as a on a.concept_id = $concept_id and s.slot_1 = a.slot
    inner join rule_candidates as b on b.concept_id = $concept_id and s.slot_2 = b.slot
    inner join rule_candidates as c on c.concept_id = $concept_id and s.slot_3 = c.slot
    where s.rule_id <> 0
)

select
    $sae as sae,
    p.concept,
    case when n.operator_3 is null then 2 else 3 end as n_features,
    case
        when n.operator_3 is null then concat(n.feature_1, ' ', n.operator_2, ' ', n.feature_2)
        else concat(
            '(', n.feature_1, ' ', n.operator_2, ' ', n.feature_2, ') ', n.operator_3, ' ', n.feature_3
        )
    end as rule,
    n.feature_1,
    n.threshold_1,
    n.operator_2,
    n.feature_2,
    n.threshold_2,
    n.operator_3,
    n.feature_3,
    n.threshold_3,
    n.tp as valid_tp,
    n.fp as valid_fp,
    n.tp_per_domain as valid_tp_per_domain,
    n.f1_per_domain as valid_f1_per_domain,
    n.test_tp,
    n.test_fp,
    n.test_tp_per_domain,
    n.test_f1 as test_f1_per_domain,
    p.feature as single_feature,
    p.threshold as single_threshold,
    s.f1_per_domain as single_valid_f1_per_domain,
    s.test_f1 as single_test_f1_per_domain,
    n.test_f1 - s.test_f1 as gain,
    g.gain_low,
    g.gain_high,
    n.n_clusters,
    $n_tried as n_tried,
    coalesce(n.test_f1 > s.test_f1 and g.gain_low > 0, false) as is_held
from named as n
inner join scores as s on s.rule_id = 0
inner join rule_gains as g on n.rule_id = g.rule_id
inner join rule_concepts as p on p.concept_id = $concept_id
