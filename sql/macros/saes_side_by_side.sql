-- output: saes_side_by_side
-- grain:  concept
-- inputs: concepts, encodings, heldout_pairs
-- params: $left_sae VARCHAR   SAE
--         $right_sae VARCHAR  another SAE
--         $k INTEGER = 5000   number of concepts, those that either finds best
-- what:   The best feature of either SAE for each concept, chosen on valid, and its F1 on test. is_fair
--         says whether both were counted over the same proteins: otherwise differences are not theirs
--         alone.
with
unshared as (
    select e.protein_id
    from encodings as e
    where e.sae in ($left_sae, $right_sae)
    group by e.protein_id
    having not (bool_or(e.sae = $left_sae) and bool_or(e.sae = $right_sae))
),

best as (
    select
        h.sae,
        h.concept,
        h.feature,
        h.threshold,
        h.test_f1_per_domain,
        h.is_found
    from heldout_pairs as h
    where h.sae in ($left_sae, $right_sae) and h.is_best and h.is_testable
)

select
    c.concept,
    c.category,
    a.feature as left_feature,
    a.test_f1_per_domain as left_f1,
    coalesce(a.is_found, false) as left_found,
    b.feature as right_feature,
    b.test_f1_per_domain as right_f1,
    coalesce(b.is_found, false) as right_found,
    coalesce(a.test_f1_per_domain, 0) - coalesce(b.test_f1_per_domain, 0) as difference,
    not exists (select 1 as one from unshared) as is_fair
from concepts as c
left join best as a on c.concept = a.concept and a.sae = $left_sae
left join best as b on c.concept = b.concept and b.sae = $right_sae
where c.source != 'sequence' and (a.concept is not null or b.concept is not null)
order by greatest(coalesce(a.test_f1_per_domain, 0), coalesce(b.test_f1_per_domain, 0)) desc, c.concept
limit $k
