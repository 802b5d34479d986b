-- output: chunk_bins
-- grain:  place, band_feature
-- inputs: chunk_activations, threshold_bands
-- params: none
-- what:   Which thresholds each activation of a chunk passes, all five of a band in one number: each has 12
--         bits, 1 where it is passed, so that one sum over up to 2,047 residues counts for all five.
select
    a.place,
    a.feature + 16777216 * b.band as band_feature,
    case
        when a.activation <= b.t2 then 1
        when a.activation <= b.t3 then 4097
        when a.activation <= b.t4 then 16781313
        when a.activation <= b.t5 then 68736258049
        else 281543712968705
    end::bigint as passed
from chunk_activations as a
cross join threshold_bands as b
where a.activation > b.t1
