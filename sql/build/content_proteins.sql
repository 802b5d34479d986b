-- output: content_proteins
-- grain:  one row
-- inputs: proteins, built_proteins
-- params: none
-- what:   Checksum of the names, sequences and splits of the proteins of built_proteins.
select
    '' as source,
    concat_ws(
        ':', count(*), sum(hash(p.protein_id, p.accession, p.sequence, p.split, p.sample_key))
    ) as content
from proteins as p
inner join built_proteins as b on p.protein_id = b.protein_id
