-- output: rest_support
-- grain:  concept_id
-- inputs: concept_support, hidden_proteins, hidden_support, known_spans, scored_concepts
-- params: $sae VARCHAR  SAE
-- what:   What there is of each concept on the rest of valid, and hidden on test; only concepts of which five
--         instances are left to choose by, and at least one is hidden.
with
hidden as (
    select s.concept_id, count(distinct s.instance_id) as n_hidden
    from hidden_proteins as h
    inner join known_spans as s on h.protein_id = s.protein_id and h.concept_id = s.concept_id
    where h.split = 'test'
    group by s.concept_id
)

select
    c.concept_id,
    c.concept,
    c.source,
    c.level,
    s.n_residues - coalesce(v.n_residues, 0) as n_residues,
    s.n_domains - coalesce(v.n_domains, 0) as n_domains
from scored_concepts as c
inner join concept_support as s on c.sae = s.sae and c.concept = s.concept
inner join hidden as h on c.concept_id = h.concept_id
left join hidden_support as v on c.concept_id = v.concept_id
where
    c.sae = $sae and c.source <> 'sequence' and s.split = 'valid'
    and s.n_domains - coalesce(v.n_domains, 0) >= 5
