-- output: marked_suggestions
-- grain:  sae, concept, rank
-- inputs: ranked_suggestions
-- params: $sae VARCHAR  SAE
-- what:   Stretches where a feature tied to a concept fires and neither the concept nor anything that
--         explains it is annotated. A leading one has no better one of its concept over it.
with
behind as (
    select distinct
        s.concept_id,
        s.rank
    from ranked_suggestions as s
    inner join ranked_suggestions as b
        on
            s.concept_id = b.concept_id and s.protein_id = b.protein_id and s.rank > b.rank
            and s.stop >= b.start and s.start <= b.stop
)

select
    $sae as sae,
    s.concept,
    s.rank,
    b.rank is null as is_leading,
    s.score,
    s.protein_id,
    s.accession,
    s.split,
    s.is_private,
    s.start,
    s.stop,
    s.feature,
    s.threshold,
    s.n_firing,
    s.max_activation,
    s.relative_length,
    s.precision,
    s.extent,
    s.n_others,
    s.n_agreeing,
    s.n_relatives,
    s.n_carrying
from ranked_suggestions as s
left join behind as b on s.concept_id = b.concept_id and s.rank = b.rank
