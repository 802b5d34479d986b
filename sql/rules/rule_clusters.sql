-- output: rule_clusters
-- grain:  rule_id, unit
-- inputs: compared_rules, coverage, encodings, known_spans, proteins, rule_concepts, rule_residues
-- params: $sae VARCHAR         SAE
--         $concept_id INTEGER  concept
-- what:   Counts of each compared rule on test, by cluster, or by protein where there is none: what is drawn
--         again to say how sure a gain is; those without any are left out. At level residue, residues are
--         what there is to hit.
with
members as (
    select p.protein_id, coalesce(p."cluster", p.accession) as unit, c.level
    from proteins as p
    inner join encodings as e on p.protein_id = e.protein_id
    inner join rule_concepts as c on c.concept_id = $concept_id
    inner join coverage as v on c.source = v.source and p.protein_id = v.protein_id
    where p.split = 'test' and e.sae = $sae
),

fired as (
    select t.rule_id, r.protein_id, r.position, r.is_annotated
    from rule_residues as r
    cross join compared_rules as t
    where
        r.split = 'test'
        and (
            t.truth >> (
                ((r.mask >> t.slot_1) & 1) + 2 * ((r.mask >> t.slot_2) & 1) + 4 * ((r.mask >> t.slot_3) & 1)
            )::integer
        ) & 1 = 1
),

spans as (
    select protein_id, instance_id, start, stop
    from known_spans
    where concept_id = $concept_id and split = 'test'
),

to_find as (
    select
        s.protein_id,
        count(distinct r.position) as n_residues,
        count(distinct s.instance_id) as n_domains
    from spans as s
    cross join unnest(range(s.start, s.stop + 1)) as r (position)
    group by s.protein_id
),

counted as (
    select rule_id, protein_id, count(*) filter (where is_annotated) as tp, count(*) as n_fired
    from fired
    group by rule_id, protein_id
),

hits as (
    select f.rule_id, s.protein_id, count(distinct s.instance_id) as n_hit
    from fired as f
    inner join spans as s on f.protein_id = s.protein_id and f.position between s.start and s.stop
    group by f.rule_id, s.protein_id
),

sums as (
    select
        t.rule_id,
        m.unit,
        coalesce(sum(c.tp), 0)::bigint as tp,
        coalesce(sum(c.n_fired), 0)::bigint as n_fired,
        coalesce(sum(case when m.level = 'domain' then h.n_hit else c.tp end), 0)::bigint as n_hit,
        coalesce(
            sum(case when m.level = 'domain' then n.n_domains else n.n_residues end), 0
        )::bigint as n_to_find
    from members as m
    cross join compared_rules as t
    left join counted as c on m.protein_id = c.protein_id and t.rule_id = c.rule_id
    left join hits as h on m.protein_id = h.protein_id and t.rule_id = h.rule_id
    left join to_find as n on m.protein_id = n.protein_id
    group by t.rule_id, m.unit
)

select
    rule_id,
    unit,
    tp,
    n_fired,
    n_hit,
    n_to_find
from sums
qualify max(n_fired + n_to_find) over (partition by unit) > 0
