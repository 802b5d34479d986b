-- output: proteins
-- grain:  protein_id
-- inputs: proteins, protein_clusters
-- params: none
-- what:   The proteins with their new clusters and splits.
select
    p.protein_id,
    p.accession,
    p.name,
    p.organism,
    p.reviewed,
    p.sequence,
    p.length,
    c.split,
    c.cluster,
    p.is_private,
    p.sample_key,
    p.note
from proteins as p
inner join protein_clusters as c on p.protein_id = c.protein_id
