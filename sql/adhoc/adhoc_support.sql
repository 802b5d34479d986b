-- output: adhoc_support
-- grain:  concept, split
-- inputs: adhoc_spans
-- params: none
-- what:   Residues and instances of each concept on valid and on test.
with
residues as (
    select
        s.concept,
        s.split,
        count(distinct row(s.protein_id, r.residue)) as n_residues
    from adhoc_spans as s
    cross join unnest(range(s.start, s.stop + 1)) as r (residue)
    group by s.concept, s.split
)

select
    s.concept,
    s.split,
    max(s.level) as level,
    max(r.n_residues) as n_residues,
    count(distinct s.instance_id) as n_domains
from adhoc_spans as s
inner join residues as r on s.concept = r.concept and s.split = r.split
group by s.concept, s.split
