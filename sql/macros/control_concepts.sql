-- output: control_concepts
-- grain:  concept
-- inputs: sae_controls, compared_pairs, concept_support, scored_concepts
-- params: $wanted_sae VARCHAR            SAE
--         $wanted_scale VARCHAR = 'own'  own, or valid: the scale of valid alone
-- what:   F1 on test of the best pair of each testable concept, of an SAE and of each control beside it: 0
--         where nothing fires on the concept on valid, NULL where there is no such control. Neurons as they
--         were published (positive signs alone), and with both signs. Amino acids are left out.
with
concepts_tested as (
    select s.concept
    from scored_concepts as c
    inner join concept_support as s on c.sae = s.sae and c.concept = s.concept
    where s.sae = $wanted_sae and s.split in ('valid', 'test') and c.source != 'sequence'
    group by s.concept
    having count(*) filter (where s.n_domains >= 5) = 2
),

sides as (
    select $wanted_sae as sae, 'sae' as role
    union all
    select c.control as sae, c.role
    from sae_controls as c
    where c.sae = $wanted_sae
),

columns_there as (
    select distinct case when s.role = 'neurons' then p.feature_set || ' ' else '' end || s.role as side
    from sides as s
    inner join compared_pairs as p on s.sae = p.sae
    where p.scale = $wanted_scale
),

best as (
    select
        p.concept,
        case when s.role = 'neurons' then p.feature_set || ' ' else '' end || s.role as side,
        p.feature,
        p.test_f1_per_domain,
        p.is_found
    from sides as s
    inner join compared_pairs as p on s.sae = p.sae
    where p.scale = $wanted_scale and p.is_best
)

select
    t.concept,
    max(b.feature) filter (where c.side = 'sae') as feature,
    coalesce(bool_or(b.is_found) filter (where c.side = 'sae'), false) as is_found,
    max(coalesce(b.test_f1_per_domain, 0)) filter (where c.side = 'sae') as sae_f1,
    max(coalesce(b.test_f1_per_domain, 0)) filter (where c.side = 'published neurons') as neurons_f1,
    max(coalesce(b.test_f1_per_domain, 0)) filter (where c.side = 'all neurons') as neurons_both_signs_f1,
    max(coalesce(b.test_f1_per_domain, 0)) filter (where c.side = 'shuffled') as shuffled_f1,
    max(coalesce(b.test_f1_per_domain, 0)) filter (where c.side = 'amino_acid') as amino_acid_f1,
    max(coalesce(b.test_f1_per_domain, 0)) filter (where c.side = 'position') as position_f1
from concepts_tested as t
cross join columns_there as c
left join best as b on t.concept = b.concept and c.side = b.side
group by t.concept
order by sae_f1 desc, t.concept
