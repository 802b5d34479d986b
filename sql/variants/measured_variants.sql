-- output: measured_variants
-- grain:  variant
-- inputs: proteins, variant_measurements, variant_ranking
-- params: $sae VARCHAR          SAE
--         $accession VARCHAR    protein
--         $measurement VARCHAR  measured effect
-- what:   Variants that were compared with the wild type and have a measured effect, with both.
select
    r.variant,
    r.position,
    r.total_change,
    r.site_change,
    m.log_odds,
    m.measured
from variant_ranking($sae, $accession) as r
inner join variant_measurements as m on r.variant = m.variant
inner join proteins as p on m.protein_id = p.protein_id
where m.sae = $sae and p.accession = $accession and m.measurement = $measurement
