-- output: encoded_saes
-- grain:  sae
-- inputs: encodings, saes
-- params: none
-- what:   Every SAE that was added, and whether any protein was encoded by it.
select
    s.sae,
    exists(select 1 as one from encodings as e where e.sae = s.sae) as is_encoded
from saes as s
order by s.sae
