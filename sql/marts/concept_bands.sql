-- output: concept_bands
-- grain:  sae, label, feature, band
-- inputs: concept_bands_partial
-- params: $sae VARCHAR  SAE
-- what:   Residues and instances of every concept that each feature hits, scored or not.
select
    $sae as sae,
    label,
    feature,
    band,
    sum(residues_1)::bigint as residues_1,
    sum(residues_2)::bigint as residues_2,
    sum(residues_3)::bigint as residues_3,
    sum(residues_4)::bigint as residues_4,
    sum(residues_5)::bigint as residues_5,
    sum(domains_1)::bigint as domains_1,
    sum(domains_2)::bigint as domains_2,
    sum(domains_3)::bigint as domains_3,
    sum(domains_4)::bigint as domains_4,
    sum(domains_5)::bigint as domains_5
from concept_bands_partial
where sae = $sae
group by label, feature, band
