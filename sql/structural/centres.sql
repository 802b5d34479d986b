-- output: centres
-- grain:  feature, protein_id
-- inputs: fired_maxima, proteins
-- params: $presence DOUBLE  strict lower bound on normalised activation
-- what:   The residues around which each feature is compared: of each cluster of relatives the protein on
--         which it is strongest, ties by accession. A protein without a cluster stands with its twins.
with
grouped as (
    select
        m.feature,
        m.protein_id,
        m.kept_position as position,
        m.kept_activation as activation,
        p.accession,
        case when p.cluster is null then 's' || p.sequence else 'c' || p.cluster end as relatives
    from fired_maxima as m
    inner join proteins as p on m.protein_id = p.protein_id
    where m.kept_activation > $presence::float
)

select
    feature,
    protein_id,
    position
from grouped
qualify row_number() over (partition by feature, relatives order by activation desc, accession asc) = 1
