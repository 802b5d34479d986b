-- output: content_coverage
-- grain:  one row
-- inputs: coverage, built_proteins
-- params: none
-- what:   Checksum of which sources looked in the proteins of built_proteins.
select concat_ws(':', count(*), sum(hash(c.source, c.protein_id))) as content
from coverage as c
inner join built_proteins as b on c.protein_id = b.protein_id
