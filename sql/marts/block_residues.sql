-- output: block_residues
-- grain:  place
-- inputs: block_proteins, block_segments, residues
-- params: none
-- what:   Each residue of a block: its letter, its group of proteins, and its segment if it has a label.
with
labelled as (
    select s.segment, s.first_place + r.position as place
    from block_segments as s
    cross join unnest(range(s.start, s.stop + 1)) as r (position)
),

lettered as (
    select p.first_place + r.position as place, p.protein_group, ascii(r.amino_acid) as letter
    from block_proteins as p
    inner join residues as r on p.protein_id = r.protein_id
)

select
    r.place,
    r.protein_group,
    r.letter,
    l.segment
from lettered as r
left join labelled as l on r.place = l.place
