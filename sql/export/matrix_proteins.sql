-- output: matrix_proteins
-- grain:  protein_id
-- inputs: proteins, encodings
-- params: $sae VARCHAR  name of the SAE
--         $split VARCHAR  proteins of this split alone; all where it is NULL
--         $accessions VARCHAR[]  these proteins alone; all where it is empty
--         $with_private BOOLEAN  whether private proteins are among them
-- what:   The proteins that an SAE has encoded, in the order of the rows of a matrix.
select
    p.protein_id,
    p.accession,
    p.name,
    p.organism,
    p.split,
    p.cluster,
    p.length,
    p.is_private
from proteins as p
inner join encodings as e on p.protein_id = e.protein_id
where
    e.sae = $sae
    and ($split is null or p.split = $split)
    and (len($accessions) = 0 or list_contains($accessions, p.accession))
    and ($with_private or not p.is_private)
order by p.protein_id
