-- output: concept_support_partial
-- grain:  sae, split, concept
-- inputs: annotations, concepts, coverage, encodings, proteins
-- params: $sae VARCHAR            SAE
--         $first_protein INTEGER  first protein of the block
--         $last_protein INTEGER   last protein of the block
-- what:   Distinct residues and instances of each concept in one block of encoded, covered proteins.
with
encoded as (
    select p.protein_id, p.split, p.sequence, p.length
    from proteins as p
    inner join encodings as e on p.protein_id = e.protein_id
    where e.sae = $sae and p.protein_id between $first_protein and $last_protein
),

spans as (
    select
        e.protein_id, e.split, a.concept_id, a.instance_id, a.start, least(a.stop, e.length) as stop,
        max(least(a.stop, e.length)) over (
            partition by e.protein_id, a.concept_id
            order by a.start, a.annotation_id
            rows between unbounded preceding and 1 preceding
        ) as reached  -- the last residue that earlier spans of the concept cover
    from annotations as a
    inner join encoded as e on a.protein_id = e.protein_id
    inner join concepts as c on a.concept_id = c.concept_id
    inner join coverage as v on c.source = v.source and e.protein_id = v.protein_id
    where a.start <= e.length
),

annotated as (
    select
        split,
        concept_id,
        sum(greatest(stop - greatest(start - 1, coalesce(reached, 0)), 0))::bigint as n_residues,
        count(distinct instance_id) as n_domains
    from spans
    group by split, concept_id
),

letters as (
    select
        e.split, c.concept_id, c.concept,
        sum(e.length - length(replace(e.sequence, substr(c.concept, 12, 1), '')))::bigint as n_residues
    from encoded as e
    cross join concepts as c
    where c.source = 'sequence'
    group by e.split, c.concept_id, c.concept
)

select
    $sae as sae, a.split, c.concept, c.level, a.n_residues, a.n_domains, 0::bigint as n_proteins
from annotated as a
inner join concepts as c on a.concept_id = c.concept_id
union all
select
    $sae as sae, split, concept, 'residue' as level, n_residues, 0::bigint as n_domains, 0::bigint as n_proteins
from letters
where n_residues > 0
