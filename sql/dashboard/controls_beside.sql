-- output: controls_beside
-- grain:  control
-- inputs: sae_controls, saes, features
-- params: $sae VARCHAR  SAE
-- what:   The built controls that stand beside an SAE, and those that are of no SAE in particular.
select
    c.sae as control,
    c.role
from saes as c
where
    c.role != 'sae'
    and c.sae != $sae
    and (
        c.control_of is null
        or exists (
            select 1 as one
            from sae_controls as s
            where s.sae = $sae and s.control = c.sae
        )
    )
    and exists (
        select 1 as one
        from features as f
        where f.sae = c.sae
    )
order by list_position(['neurons', 'shuffled', 'amino_acid', 'position'], c.role), c.sae
