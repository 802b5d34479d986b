-- output: chunk_labelled
-- grain:  place
-- inputs: block_segments
-- params: $first_protein INTEGER  first protein of the chunk
--         $last_protein INTEGER   last protein of the chunk
-- what:   The residues of a chunk that have a label, and the segment that each is in.
select
    s.first_place + r.position::integer as place,
    s.segment
from block_segments as s
cross join unnest(range(s.start, s.stop + 1)) as r (position)
where s.protein_id between $first_protein and $last_protein
