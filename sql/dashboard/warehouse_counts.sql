-- output: warehouse_counts
-- grain:  one row
-- inputs: proteins, annotations, concepts, plms, saes
-- params: none
-- what:   How much of everything is in the warehouse.
select
    (select count(*) from proteins) as n_proteins,
    (select coalesce(sum(p.length), 0)::bigint from proteins as p) as n_residues,
    (select count(*) from annotations) as n_annotations,
    (select count(*) from concepts as c where c.source != 'sequence') as n_concepts,
    (select count(*) from plms) as n_plms,
    (select count(*) from saes) as n_saes
