-- output: suggestion_list
-- grain:  rank
-- inputs: proteins, suggestions
-- params: $sae VARCHAR           SAE
--         $concept VARCHAR       concept
--         $min_precision DOUBLE  pairs that are at least so precise on test
--         $most INTEGER          rows
-- what:   The leading suggestions of one concept, best first; n_all says how many there are.
select
    s.rank,
    s.accession,
    p.name,
    s.start,
    s.stop,
    s.score,
    s.precision,
    s.feature,
    s.threshold,
    s.max_activation as activation,
    s.relative_length,
    s.n_agreeing,
    s.n_others,
    s.n_carrying,
    s.n_relatives,
    s.split,
    s.is_private,
    count(*) over () as n_all
from suggestions as s
inner join proteins as p on s.protein_id = p.protein_id
where s.sae = $sae and s.concept = $concept and s.is_leading and s.precision >= $min_precision
order by s.rank
limit $most
