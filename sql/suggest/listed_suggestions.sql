-- output: listed_suggestions
-- grain:  sae, concept, rank
-- inputs: suggestions
-- params: $saes VARCHAR[]         SAEs
--         $concept VARCHAR        concept; every one where it is ''
--         $min_precision DOUBLE   pairs that are at least so precise on test
--         $with_private BOOLEAN   whether private proteins are listed
-- what:   The leading suggestions that are asked for, the best first.
select
    s.sae,
    s.concept,
    s.rank,
    s.score,
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
from suggestions as s
where
    s.is_leading
    and list_contains($saes, s.sae)
    and ($concept = '' or s.concept = $concept)
    and s.precision >= $min_precision
    and ($with_private or not s.is_private)
order by s.score desc, s.sae asc, s.concept asc, s.rank asc
