-- output: example_values
-- grain:  one row
-- inputs: saes, feature_stats, encodings, proteins, concepts
-- params: $sae VARCHAR  SAE that is looked at, or NULL
-- what:   Values that are there, for example calls of macros; NULL where there is none.
select
    $sae::varchar as sae,
    (select min(s.sae) from saes as s where s.sae != $sae) as other_sae,
    (
        select f.feature
        from feature_stats as f
        where f.sae = $sae
        order by f.n_proteins desc, f.feature asc
        limit 1
    ) as feature,
    (
        select p.accession
        from proteins as p
        where p.protein_id = (select min(e.protein_id) from encodings as e where e.sae = $sae)
    ) as accession,
    (
        select c.concept
        from concepts as c
        order by c.source = 'sequence' asc, c.concept_id asc
        limit 1
    ) as concept
