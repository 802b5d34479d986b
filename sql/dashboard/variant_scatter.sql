-- output: variant_scatter
-- grain:  variant
-- inputs: proteins, variant_measurements, variant_ranking
-- params: $sae VARCHAR          SAE
--         $accession VARCHAR    protein
--         $measurement VARCHAR  measured effect
--         $features INTEGER[]   features that count; all of them where none is named
--         $most INTEGER         variants, those that change most
-- what:   Variants with a measured effect, and what they change.
select
    r.variant,
    r.position,
    r.total_change,
    r.feature_change,
    m.log_odds,
    m.measured
from variant_ranking($sae, $accession, wanted_features := $features) as r
inner join variant_measurements as m on r.variant = m.variant
inner join proteins as p on m.protein_id = p.protein_id
where m.sae = $sae and p.accession = $accession and m.measurement = $measurement
order by r.rank
limit $most
