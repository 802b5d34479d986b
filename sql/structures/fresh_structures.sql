-- output: fresh_structures
-- grain:  structure
-- inputs: structures, new_structures
-- params: none
-- what:   New structures that the warehouse does not have as they are, whatever had named the protein.
with
different as (
    select n.* exclude (matched_by) from new_structures as n
    except
    select s.* exclude (matched_by) from structures as s
)

select
    structure,
    name,
    file,
    sha256
from different
