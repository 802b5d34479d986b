-- output: block_labels
-- grain:  segment, label, instance_id
-- inputs: block_segments, counted_spans
-- params: $sae VARCHAR            SAE
--         $first_protein INTEGER  first protein of the block
--         $last_protein INTEGER   last protein of the block
-- what:   The instances that each segment of a block belongs to. A label is a concept in one split. The
--         instances of a protein are numbered, 12 to a word; NULL where only residues are counted.
with
spans as (
    select
        protein_id,
        concept_id * 3 + case split when 'train' then 0 when 'valid' then 1 else 2 end as label,
        level,
        instance_id,
        start,
        stop
    from counted_spans
    where sae = $sae and protein_id between $first_protein and $last_protein
),

numbered as (
    select
        protein_id,
        label,
        instance_id,
        row_number() over (
            partition by protein_id order by min(start) asc, label asc, instance_id asc
        ) - 1 as n
    from spans
    where level = 'domain'
    group by protein_id, label, instance_id
),

slots as (
    select
        protein_id,
        label,
        instance_id,
        dense_rank() over (order by protein_id asc, n // 12 asc)::integer as word,
        (n % 12)::integer as slot
    from numbered
)

select distinct
    s.segment,
    p.label,
    p.instance_id,
    b.word,
    b.slot
from block_segments as s
inner join spans as p on s.protein_id = p.protein_id and s.start between p.start and p.stop
left join slots as b on p.protein_id = b.protein_id and p.label = b.label and p.instance_id = b.instance_id
