-- output: content_proteins
-- grain:  one row
-- inputs: proteins, built_proteins
-- params: none
-- what:   Checksum of the sequences and splits of the proteins of built_proteins.
select
    concat_ws(
        ':', count(*), sum(hash(p.protein_id, p.sequence, p.split, p.sample_key))
    ) as content
from proteins as p
inner join built_proteins as b on p.protein_id = b.protein_id
