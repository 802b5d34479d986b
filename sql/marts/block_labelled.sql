-- output: block_labelled
-- grain:  place
-- inputs: block_segments
-- params: none
-- what:   The residues of a block that have a label, and the segment that each is in.
select
    s.first_place + r.position::integer as place,
    s.segment
from block_segments as s
cross join unnest(range(s.start, s.stop + 1)) as r (position)
