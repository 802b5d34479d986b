-- output: sources
-- grain:  source
-- inputs: sources, concepts
-- params: none
-- what:   Each source of annotations, with its concepts and what was rejected.
select
    s.source,
    count(c.concept_id) as n_concepts,
    s.n_annotations,
    s.n_covered,
    s.n_rejects,
    s.covers
from sources as s
left join concepts as c on s.source = c.source
group by s.source, s.n_annotations, s.n_covered, s.n_rejects, s.covers
order by s.source
