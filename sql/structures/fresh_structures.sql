-- output: fresh_structures
-- grain:  structure
-- inputs: structures, new_structures
-- params: none
-- what:   New structures that the warehouse does not have as they are, whatever had named the protein.
with
different as (
    select * exclude (matched_by) from new_structures
    except
    select * exclude (matched_by) from structures
)

select
    structure,
    name,
    file,
    sha256
from different
