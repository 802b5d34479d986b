-- output: max_examples_partial
-- grain:  sae, feature, rank
-- inputs: chunk_peaks, chunk_strongest, proteins
-- params: $sae VARCHAR  SAE
-- what:   The ten proteins of a chunk on which a feature is strongest; ties by accession.
with
tenths as (
    select feature, min(activation) as activation
    from chunk_strongest
    where rank <= 10
    group by feature
)

select
    $sae as sae,
    f.feature,
    row_number() over (partition by f.feature order by f.activation desc, p.accession asc)::integer as rank,
    p.accession,
    f.position,
    f.activation
from chunk_peaks as f
inner join tenths as t on f.feature = t.feature and f.activation >= t.activation
inner join proteins as p on f.protein_id = p.protein_id
qualify row_number() over (partition by f.feature order by f.activation desc, p.accession asc) <= 10
