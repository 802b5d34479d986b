-- output: protein_search
-- grain:  accession
-- inputs: proteins, encodings
-- params: $sae VARCHAR   SAE
--         $text VARCHAR  text within accession or name, whatever its case
-- what:   Encoded proteins whose accession or name holds a text; the one with this accession first.
select
    p.accession,
    p.name,
    p.organism,
    p.length,
    p.split
from proteins as p
where
    exists (select 1 as one from encodings as e where e.sae = $sae and e.protein_id = p.protein_id)
    and (
        contains(lower(p.accession), lower($text))
        or contains(lower(coalesce(p.name, '')), lower($text))
    )
order by lower(p.accession) = lower($text) desc, p.accession asc
limit 50
