-- output: left_out
-- grain:  n_private
-- inputs: encodings, proteins
-- params: $sae VARCHAR  SAE
-- what:   How many encoded proteins are never sent: private, or of a sequence that is private elsewhere.
select count(*) as n_private
from proteins as p
inner join encodings as e on p.protein_id = e.protein_id
where
    e.sae = $sae
    and (p.is_private or p.sequence in (select q.sequence from proteins as q where q.is_private))
