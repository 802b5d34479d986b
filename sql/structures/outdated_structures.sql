-- output: outdated_structures
-- grain:  structure
-- inputs: structures, fresh_structures
-- params: none
-- what:   Structures that make place for fresh ones: of the same name, and the same chain or of another file.
select distinct s.structure
from structures as s
inner join fresh_structures as f on s.name = f.name
where s.structure = f.structure or s.sha256 <> f.sha256
