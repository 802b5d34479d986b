-- output: relatives
-- grain:  concept_id, protein_id
-- inputs: chosen_pairs, coverage, encodings, hidden_spans, judged_stretches, known_spans, proteins
-- params: $sae VARCHAR  SAE
-- what:   Of each protein with a suggestion, the others of its cluster in which the source looked, and how
--         many of them carry the concept.
with
wanted as (
    select distinct j.concept_id, p.source, j.protein_id
    from judged_stretches as j
    inner join chosen_pairs as p on j.concept_id = p.concept_id and j.feature = p.feature
    where j.outcome = 'suggested'
),

carriers as (
    select distinct s.concept_id, s.protein_id
    from known_spans as s
    left join hidden_spans as h on s.concept_id = h.concept_id and s.annotation_id = h.annotation_id
    where h.annotation_id is null
),

members as (
    select p.protein_id, p."cluster" as family, v.source
    from proteins as p
    inner join encodings as e on p.protein_id = e.protein_id
    inner join coverage as v on p.protein_id = v.protein_id
    where e.sae = $sae and p."cluster" is not null
),

families as (
    select source, family, count(*) as n_members
    from members
    group by source, family
),

carrying as (
    select c.concept_id, m.source, m.family, count(*) as n_carriers
    from members as m
    inner join carriers as c on m.protein_id = c.protein_id
    group by c.concept_id, m.source, m.family
)

select
    w.concept_id,
    w.protein_id,
    f.n_members - 1 as n_relatives,
    coalesce(c.n_carriers, 0) - case when o.protein_id is null then 0 else 1 end as n_carrying
from wanted as w
inner join members as m on w.protein_id = m.protein_id and w.source = m.source
inner join families as f on m.source = f.source and m.family = f.family
left join carrying as c on w.concept_id = c.concept_id and m.source = c.source and m.family = c.family
left join carriers as o on w.concept_id = o.concept_id and w.protein_id = o.protein_id
