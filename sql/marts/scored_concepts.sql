-- output: scored_concepts
-- grain:  sae, concept
-- inputs: concept_support, concepts, settings
-- params: none
-- what:   The concepts that are scored for an SAE: more than min_residues residues or more than
--         min_domains instances in valid and test together, and none of the five that name no kind,
--         whichever source has them.
with
minima as (
    select
        max(case when setting = 'min_residues' then value::bigint end) as min_residues,
        max(case when setting = 'min_domains' then value::bigint end) as min_domains
    from settings
    where setting in ('min_residues', 'min_domains')
),

support as (
    select
        sae,
        concept,
        sum(n_residues)::bigint as n_residues,
        sum(n_domains)::bigint as n_domains
    from concept_support
    where split in ('valid', 'test')
    group by sae, concept
)

select
    s.sae,
    c.concept_id,
    s.concept,
    c.category,
    c.level,
    c.source,
    s.n_residues,
    s.n_domains
from support as s
inner join concepts as c on s.concept = c.concept
cross join minima as m
where
    (s.n_residues > m.min_residues or s.n_domains > m.min_domains)
    and case
        when starts_with(s.concept, c.source || ':') then substr(s.concept, length(c.source) + 2)
        else s.concept
    end not in (
        'Region_any', 'Modified residue_any', 'Domain_any', 'Compositional bias_any', 'Motif_any'
    )
