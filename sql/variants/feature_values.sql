-- output: feature_values
-- grain:  feature, variant
-- inputs: features, measured_variants, proteins, variant_changes
-- params: $sae VARCHAR          SAE
--         $accession VARCHAR    protein
--         $min_variants BIGINT  variants that a feature must change in to be tried
-- what:   The change of each feature that is tried in each variant where it has one, summed over residues
--         with its sign.
with
summed as (
    select
        c.feature,
        c.variant,
        sum(((c.mutant_value - c.wild_type_value) / nullif(f.max_activation, 0))::float::double) as x
    from variant_changes as c
    inner join features as f on c.sae = f.sae and c.feature = f.feature
    where
        c.sae = $sae
        and c.protein_id = (select p.protein_id from proteins as p where p.accession = $accession)
    group by c.feature, c.variant
)

select
    s.feature,
    s.variant,
    m.position,
    s.x,
    m.measured
from summed as s
inner join measured_variants as m on s.variant = m.variant
where s.x <> 0
qualify count(*) over (partition by s.feature) >= $min_variants
