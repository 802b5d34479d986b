-- output: fresh_structures
-- grain:  structure
-- inputs: structures, structure_residues, new_structures
-- params: none
-- what:   New structures that the warehouse does not have as they are, whatever had named the protein; also
--         those whose residues an earlier version wrote, without secondary structure.
with
different as (
    select * exclude (matched_by) from new_structures
    except
    select * exclude (matched_by) from structures
),

earlier as (
    select structure
    from structure_residues
    where x is not null
    group by structure
    having count(secondary_structure) = 0
)

select
    structure,
    name,
    file,
    sha256
from new_structures
where
    structure in (select d.structure from different as d)
    or structure in (select e.structure from earlier as e)
