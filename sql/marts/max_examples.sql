-- output: max_examples
-- grain:  sae, feature, rank
-- inputs: max_examples_partial
-- params: $sae VARCHAR  SAE
-- what:   The ten proteins on which a feature is strongest; ties by accession.
select
    $sae as sae,
    feature,
    row_number() over (partition by feature order by activation desc, accession asc)::integer as rank,
    accession,
    position,
    activation
from max_examples_partial
where sae = $sae
qualify row_number() over (partition by feature order by activation desc, accession asc) <= 10
