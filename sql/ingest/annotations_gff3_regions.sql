-- output: gff3_regions
-- grain:  row
-- inputs: gff3_body, known_proteins
-- params: none
-- what:   Lines ##sequence-region of a GFF3 file for proteins of the warehouse, and whether each is its
--         protein from end to end.
with
words as (
    select
        row,
        regexp_split_to_array(trim(line), '\s+') as w
    from gff3_body
    where starts_with(line, '##sequence-region')
),

named as (
    select
        row,
        regexp_replace(try(url_decode(w[2])), '^(?:sp|tr)\|([^|]+)\|.*$', '\1') as accession,
        w[3] as start,
        w[4] as stop
    from words
)

select
    n.row,
    n.accession,
    n.start,
    n.stop,
    coalesce(try_cast(n.start as bigint) = 1 and try_cast(n.stop as bigint) = p.length, false) as is_whole
from named as n
inner join known_proteins as p on n.accession = p.accession
