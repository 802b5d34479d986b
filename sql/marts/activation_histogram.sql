-- output: activation_histogram
-- grain:  sae, feature, bin_low
-- inputs: activation_histogram_partial
-- params: $sae VARCHAR  SAE
-- what:   Residues per bin of 0.05 of normalised activation; the last bin is open.
select
    $sae as sae,
    feature,
    bin_low,
    bin_high,
    sum(n_residues)::bigint as n_residues
from activation_histogram_partial
where sae = $sae
group by feature, bin_low, bin_high
