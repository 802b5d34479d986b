-- output: content_annotations
-- grain:  source
-- inputs: annotations, concepts, built_proteins
-- params: none
-- what:   Checksum of what each source annotates on the proteins of built_proteins, whatever the ids of
--         its rows and instances.
with
spans as (
    select
        c.source,
        a.protein_id,
        a.concept_id,
        c.level,
        a.start,
        a.stop,
        a.instance_id - min(a.instance_id) over (partition by c.source, a.protein_id) as instance
    from annotations as a
    inner join built_proteins as b on a.protein_id = b.protein_id
    inner join concepts as c on a.concept_id = c.concept_id
)

select
    source,
    concat_ws(
        ':', count(*), sum(hash(protein_id, concept_id, level, start, stop, instance))
    ) as content
from spans
group by source
