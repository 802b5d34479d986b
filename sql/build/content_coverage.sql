-- output: content_coverage
-- grain:  source
-- inputs: coverage, built_proteins
-- params: none
-- what:   Checksum of which proteins of built_proteins each source looked in.
select c.source, concat_ws(':', count(*), sum(hash(c.source, c.protein_id))) as content
from coverage as c
inner join built_proteins as b on c.protein_id = b.protein_id
group by c.source
