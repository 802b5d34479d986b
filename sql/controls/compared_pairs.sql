-- output: compared_pairs
-- grain:  sae, scale, feature_set, concept, feature
-- inputs: chosen_pairs, concept_f1
-- params: $sae VARCHAR          SAE or control
--         $scale VARCHAR        own or valid: what the counts were made with
--         $feature_set VARCHAR  all or published: the features that concept_f1 holds
-- what:   Pairs as sql/marts/heldout_pairs.sql has chosen them, and among how many.
with
tried as (
    select
        concept,
        count(*) as n_tried
    from concept_f1
    where sae = $sae and split = 'valid'
    group by concept
)

select
    $sae as sae,
    $scale as scale,
    $feature_set as feature_set,
    c.concept,
    c.feature,
    c.threshold,
    c.valid_f1_per_domain,
    c.test_f1_per_domain,
    c.is_best,
    c.is_testable,
    c.is_found,
    t.n_tried
from chosen_pairs as c
inner join tried as t on c.concept = t.concept
