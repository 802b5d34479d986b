-- output: control_summary
-- grain:  scale, role, feature_set
-- inputs: sae_controls, compared_pairs, concept_support, concepts, encodings, folders, scored_concepts
-- params: $wanted_sae VARCHAR  SAE
-- what:   What an SAE finds on held-out proteins and what its controls find, under their own scale and under
--         one of valid alone. Amino acids are not counted. The mean is over all testable concepts, with 0
--         where nothing fires on a concept on valid. is_current: counted since the last build.
with
sides as (
    select $wanted_sae as sae, 'sae' as role, 0 as place
    union all
    select
        c.control as sae,
        c.role,
        case c.role when 'neurons' then 1 when 'shuffled' then 2 when 'amino_acid' then 3 else 4 end as place
    from sae_controls as c
    where c.sae = $wanted_sae
),

testable as (
    select
        s.sae,
        s.concept
    from scored_concepts as c
    inner join concept_support as s on c.sae = s.sae and c.concept = s.concept
    where s.split in ('valid', 'test') and c.source != 'sequence'
    group by s.sae, s.concept
    having count(*) filter (where s.n_domains >= 5) = 2
),

found as (
    select
        p.sae,
        p.scale,
        p.feature_set,
        count(distinct p.concept) filter (where p.is_found) as n_concepts_found,
        count(distinct p.feature) filter (where p.is_found) as n_features_with_concept,
        coalesce(sum(p.test_f1_per_domain) filter (where p.is_best and p.is_testable), 0) as sum_f1,
        (sum(p.n_tried) filter (where p.is_best))::bigint as n_tried
    from compared_pairs as p
    inner join concepts as c on p.concept = c.concept
    where c.source != 'sequence'
    group by p.sae, p.scale, p.feature_set
),

counted as (
    select
        p.sae,
        p.scale,
        p.feature_set
    from compared_pairs as p
    group by p.sae, p.scale, p.feature_set
)

select
    n.scale,
    s.role,
    n.feature_set,
    s.sae,
    coalesce(f.n_concepts_found, 0) as n_concepts_found,
    coalesce(f.n_features_with_concept, 0) as n_features_with_concept,
    f.sum_f1 / nullif((select count(*) from testable as t where t.sae = s.sae), 0) as mean_best_test_f1,
    coalesce(f.n_tried, 0) as n_tried,
    (select count(*) from testable as t where t.sae = s.sae) as n_concepts,
    (select count(*) from encodings as e where e.sae = s.sae) as n_proteins,
    exists(
        select 1 as one
        from folders as a
        inner join folders as b on a.fingerprint = b.folder
        where
            a.is_current and a.table_name = 'compared_pairs' and a.sae = s.sae
            and b.is_current and b.table_name = 'heldout_pairs'
    ) as is_current
from sides as s
inner join counted as n on s.sae = n.sae
left join found as f on n.sae = f.sae and n.scale = f.scale and n.feature_set = f.feature_set
order by n.scale, s.place, n.feature_set desc
