-- output: concept_list
-- grain:  concept
-- inputs: concepts, concept_support, heldout_pairs, scored_concepts
-- params: $wanted_sae VARCHAR    SAE
--         $wanted VARCHAR = ''   text within the name of the concept, whatever its case
-- what:   Concepts whose name holds a text: how often each is annotated on the proteins of an SAE, and the
--         feature that finds it best. Those with more instances first.
with
support as (
    select
        s.concept,
        sum(s.n_residues)::bigint as n_residues,
        sum(s.n_domains)::bigint as n_instances
    from concept_support as s
    where s.sae = $wanted_sae and s.split in ('valid', 'test')
    group by s.concept
),

best as (
    select
        h.concept,
        h.feature,
        h.threshold,
        h.valid_f1_per_domain,
        h.test_f1_per_domain,
        h.is_testable,
        h.is_found
    from heldout_pairs as h
    where h.sae = $wanted_sae and h.is_best
)

select
    c.concept,
    c.category,
    c.source,
    c.level,
    coalesce(s.n_instances, 0) as n_instances,
    coalesce(s.n_residues, 0) as n_residues,
    exists(
        select 1 as one
        from scored_concepts as o
        where o.sae = $wanted_sae and o.concept = c.concept
    ) as is_scored,
    b.feature,
    b.threshold,
    b.valid_f1_per_domain,
    b.test_f1_per_domain,
    coalesce(b.is_found, false) as is_found
from concepts as c
left join support as s on c.concept = s.concept
left join best as b on c.concept = b.concept
where contains(lower(c.concept), lower($wanted))
order by coalesce(s.n_instances, 0) desc, coalesce(s.n_residues, 0) desc, c.concept asc
