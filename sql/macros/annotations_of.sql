-- output: annotations_of
-- grain:  accession, lane, start, stop
-- inputs: annotations, concepts, proteins
-- params: $wanted_accessions VARCHAR[]  proteins
--         $n_lanes INTEGER = 4          lanes per protein at most
--         $most INTEGER = 5000          spans at most, of all proteins together
--         $only_concept VARCHAR = ''    concept; every one where it is ''
-- what:   What is annotated on several proteins, laid out to be drawn: one lane per concept, those that
--         cover most residues first; n_concepts says how many there are in all. Concepts that only gather
--         others (…_any) are left out where they have the same spans as another. Where there are too many
--         spans, each protein in turn gives its next longest; n_spans says how many its lanes have in all.
with
spans as (
    select distinct
        p.accession,
        c.concept,
        c.category,
        a.start,
        least(a.stop, p.length) as stop
    from annotations as a
    inner join concepts as c on a.concept_id = c.concept_id
    inner join proteins as p on a.protein_id = p.protein_id
    where
        list_contains($wanted_accessions, p.accession)
        and ($only_concept = '' or c.concept = $only_concept)
),

named as (
    select s.*
    from spans as s
    where
        not ends_with(s.concept, '_any')
        or not exists (
            select 1 as one
            from spans as t
            where
                t.accession = s.accession and t.category = s.category and not ends_with(t.concept, '_any')
                and t.start = s.start and t.stop = s.stop
        )
),

residues as (
    select
        accession,
        concept,
        unnest(range(start, stop + 1)) as position
    from named
),

covered as (
    select
        accession,
        concept,
        count(distinct position) as n_covered
    from residues
    group by accession, concept
),

lanes as (
    select
        accession,
        concept,
        row_number() over (partition by accession order by n_covered desc, concept asc) as lane,
        count(*) over (partition by accession) as n_concepts
    from covered
),

laid as (
    select
        n.accession,
        l.lane,
        n.concept,
        n.category,
        n.start,
        n.stop,
        l.n_concepts,
        count(*) over (partition by n.accession) as n_spans,
        row_number() over (
            partition by n.accession
            order by n.stop - n.start desc, l.lane asc, n.start asc
        ) as place
    from named as n
    inner join lanes as l on n.accession = l.accession and n.concept = l.concept
    where l.lane <= $n_lanes
),

shown as (
    select *
    from laid
    order by place, accession
    limit $most
)

select
    accession,
    lane::integer as lane,
    concept,
    category,
    start,
    stop,
    n_concepts,
    n_spans
from shown
order by accession, lane, start, stop
