-- output: missing annotations
-- grain:  concept, accession
-- inputs: report_pairs, protein_features, proteins, concepts, annotations
-- params: none
-- what:   Where is the best feature of a found concept strong on a protein without that concept?
with
best as (
    select
        b.concept,
        b.feature,
        b.threshold,
        c.concept_id
    from report_pairs('demo-sae') as b
    inner join concepts as c on b.concept = c.concept
    where b.is_found and not b.is_amino_acid
)

select
    b.concept,
    p.accession,
    f.position,
    f.activation
from best as b
inner join protein_features as f on f.sae = 'demo-sae' and b.feature = f.feature
inner join proteins as p on f.protein_id = p.protein_id
anti join annotations as a on b.concept_id = a.concept_id and f.protein_id = a.protein_id
where f.activation > greatest(b.threshold, 0.5)
order by f.activation desc, p.accession, b.concept
limit 10
