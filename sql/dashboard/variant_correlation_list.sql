-- output: variant_correlation_list
-- grain:  measure, feature
-- inputs: proteins, variant_correlations
-- params: $sae VARCHAR          SAE
--         $accession VARCHAR    protein
--         $measurement VARCHAR  measured effect
-- what:   How each number goes with the measured effect: those of whole variants first, then features, those
--         that are least likely by chance first.
select
    c.measure,
    c.feature,
    c.n_variants,
    c.n_changed,
    c.spearman,
    c.spearman_low,
    c.spearman_high,
    c.pearson,
    c.q_value,
    c.n_tried
from variant_correlations as c
inner join proteins as p on c.protein_id = p.protein_id
where c.sae = $sae and p.accession = $accession and c.measurement = $measurement
order by c.feature is not null, c.p_value nulls last, c.measure, c.feature
