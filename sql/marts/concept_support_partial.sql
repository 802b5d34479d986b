-- output: concept_support_partial
-- grain:  sae, split, concept
-- inputs: concepts, counted_spans, encodings, proteins
-- params: $sae VARCHAR            SAE
--         $first_protein INTEGER  first protein of the block
--         $last_protein INTEGER   last protein of the block
-- what:   Distinct residues and instances of each concept in one block of encoded, covered proteins.
with
spans as (
    select
        split,
        concept_id,
        instance_id,
        start,
        stop,
        max(stop) over (
            partition by protein_id, concept_id
            order by start asc, annotation_id asc
            rows between unbounded preceding and 1 preceding
        ) as reached  -- the last residue that earlier spans of the concept cover
    from counted_spans
    where sae = $sae and protein_id between $first_protein and $last_protein
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
        p.split,
        c.concept_id,
        sum(p.length - length(replace(p.sequence, substr(c.concept, 12, 1), '')))::bigint as n_residues,
        0::bigint as n_domains
    from proteins as p
    inner join encodings as e on p.protein_id = e.protein_id
    cross join concepts as c
    where e.sae = $sae and p.protein_id between $first_protein and $last_protein and c.source = 'sequence'
    group by p.split, c.concept_id
),

found as (
    select split, concept_id, n_residues, n_domains from annotated
    union all
    select split, concept_id, n_residues, n_domains from letters
)

select $sae as sae, f.split, c.concept, c.level, f.n_residues, f.n_domains, 0::bigint as n_proteins
from found as f
inner join concepts as c on f.concept_id = c.concept_id
where f.n_residues > 0
