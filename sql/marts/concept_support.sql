-- output: concept_support
-- grain:  sae, split, concept
-- inputs: concept_support_partial, concepts, coverage, encodings, proteins
-- params: $sae VARCHAR  SAE
-- what:   What there is to find of each concept, over the proteins that are encoded and covered.
with
encoded as (
    select p.protein_id, p.split
    from proteins as p
    inner join encodings as e on p.protein_id = e.protein_id
    where e.sae = $sae
),

covered as (
    select v.source, e.split, count(*) as n_proteins
    from encoded as e
    inner join coverage as v on e.protein_id = v.protein_id
    group by v.source, e.split
    union all
    select 'sequence' as source, split, count(*) as n_proteins
    from encoded
    group by split
),

found as (
    select split, concept, sum(n_residues)::bigint as n_residues, sum(n_domains)::bigint as n_domains
    from concept_support_partial
    where sae = $sae
    group by split, concept
)

select
    $sae as sae,
    v.split,
    c.concept,
    c.level,
    coalesce(f.n_residues, 0) as n_residues,
    coalesce(f.n_domains, 0) as n_domains,
    v.n_proteins
from concepts as c
inner join covered as v on c.source = v.source
left join found as f on v.split = f.split and c.concept = f.concept
