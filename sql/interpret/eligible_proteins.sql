-- output: eligible_proteins
-- grain:  protein_id
-- inputs: encodings, proteins
-- params: $sae VARCHAR  SAE
-- what:   The proteins from which examples may be drawn: encoded, not private, and of no sequence that is
--         private elsewhere. Those of test are scored, the others are shown.
select
    p.protein_id,
    p.accession,
    p.name,
    p.organism,
    p.sequence,
    p.length,
    p."cluster" as family,
    case when p.split = 'test' then 'scored' else 'shown' end as side
from proteins as p
inner join encodings as e on p.protein_id = e.protein_id
where
    e.sae = $sae
    and not p.is_private
    and p.sequence not in (select q.sequence from proteins as q where q.is_private)
