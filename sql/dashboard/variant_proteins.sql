-- output: variant_proteins
-- grain:  accession
-- inputs: proteins, variant_measurements, variants
-- params: $sae VARCHAR   SAE
-- what:   The proteins with variants that were compared, and the effects that were measured of them.
with
measured as (
    select
        m.protein_id,
        list(distinct m.measurement order by m.measurement) as measurements
    from variant_measurements as m
    where m.sae = $sae
    group by m.protein_id
)

select
    v.accession,
    any_value(p.name) as name,
    any_value(p.sequence) as sequence,
    count(*) as n_variants,
    count(distinct v.position) as n_positions,
    any_value(v.min_change) as min_change,
    coalesce(any_value(m.measurements), []) as measurements
from variants as v
inner join proteins as p on v.protein_id = p.protein_id
left join measured as m on v.protein_id = m.protein_id
where v.sae = $sae
group by v.accession
order by v.accession
