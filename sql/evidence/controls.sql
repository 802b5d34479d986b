-- output: controls
-- grain:  control
-- inputs: heldout_pairs, sae_controls
-- params: $sae VARCHAR  SAE
-- what:   The controls that stand beside an SAE and that were built.
select c.control
from sae_controls as c
where c.sae = $sae and c.control in (select h.sae from heldout_pairs as h)
order by c.control
