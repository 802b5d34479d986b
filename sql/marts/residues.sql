-- output: residues
-- grain:  protein_id, position
-- inputs: proteins
-- params: none
-- what:   One row per residue of every protein.
select
    p.protein_id,
    p.accession,
    r.position::integer as position,
    substr(p.sequence, r.position::integer, 1) as amino_acid
from proteins as p
cross join unnest(range(1, p.length + 1)) as r (position)
