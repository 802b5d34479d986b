-- output: adhoc_spans
-- grain:  concept, instance_id, start, stop
-- inputs: encodings, given_rows, proteins
-- params: $sae VARCHAR  SAE
-- what:   The spans of valid and test that somebody asks to be scored, on proteins that an SAE has encoded.
--         Rows of one protein and concept that share an instance are one.
select
    p.protein_id,
    p.split,
    g.concept,
    g.level,
    dense_rank() over (
        order by
            g.concept asc,
            p.protein_id asc,
            g.instance asc,
            case when g.instance is null then g.row_number else 0 end asc
    ) as instance_id,
    g.start,
    g.stop
from given_rows as g
inner join proteins as p on g.accession = p.accession
inner join encodings as e on p.protein_id = e.protein_id
where e.sae = $sae and p.split in ('valid', 'test')
