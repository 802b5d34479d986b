-- output: built_saes
-- grain:  sae
-- inputs: saes, features
-- params: none
-- what:   The SAEs that have results, controls last.
select
    s.sae,
    s.plm,
    s.layer,
    s.architecture,
    s.role,
    s.sha256,
    s.n_features
from saes as s
where exists (select 1 as one from features as f where f.sae = s.sae)
order by s.role = 'sae' desc, s.sae asc
