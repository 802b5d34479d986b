-- output: hidden_proteins
-- grain:  concept_id, protein_id
-- inputs: known_spans, proteins, scored_concepts
-- params: $sae VARCHAR         SAE
--         $pct_hidden INTEGER  share of the carriers of each concept, in percent; 0 hides nothing
--         $hide_by VARCHAR     protein, or cluster: what is drawn; a sequence where there is no cluster
--         $seed INTEGER        seed of the draw
-- what:   The proteins of valid and of test on which a concept is hidden: of what carries it in a split, the
--         first ones in the order of the md5 of seed, concept and name, rounded up.
with
carriers as (
    select distinct
        s.concept_id,
        c.concept,
        p.protein_id,
        p.split,
        case when $hide_by = 'cluster' then coalesce(p."cluster", p.sequence) else p.accession end as unit
    from known_spans as s
    inner join scored_concepts as c on s.concept_id = c.concept_id
    inner join proteins as p on s.protein_id = p.protein_id
    where c.sae = $sae and p.split in ('valid', 'test')
),

units as (
    select distinct concept_id, concept, split, unit
    from carriers
),

drawn as (
    select
        concept_id,
        split,
        unit,
        row_number() over (
            partition by concept_id, split
            order by md5($seed::varchar || ':' || concept || ':' || unit) asc, unit asc
        ) as place,
        count(*) over (partition by concept_id, split) as n_units
    from units
)

select
    c.concept_id,
    c.protein_id,
    c.split
from carriers as c
inner join drawn as d on c.concept_id = d.concept_id and c.split = d.split and c.unit = d.unit
where d.place <= (d.n_units * $pct_hidden + 99) // 100
