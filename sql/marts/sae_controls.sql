-- output: sae_controls
-- grain:  sae, role
-- inputs: saes
-- params: none
-- what:   The control that stands beside an SAE, one for each role: the one made for it, or, for neurons,
--         those of its PLM and layer, for which SAE ever they were added.
with
candidates as (
    select
        s.sae,
        c.role,
        c.sae as control,
        row_number() over (
            partition by s.sae, c.role
            order by case when c.control_of = s.sae then 0 else 1 end asc, c.sae asc
        ) as choice
    from saes as s
    inner join saes as c
        on s.sae = c.control_of or (c.role = 'neurons' and s.plm = c.plm and s.layer = c.layer)
    where s.role = 'sae' and c.role != 'sae'
)

select
    sae,
    role,
    control
from candidates
where choice = 1
