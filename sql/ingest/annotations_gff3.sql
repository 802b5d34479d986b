-- output: annotation_lines
-- grain:  row
-- inputs: gff3_features, gff3_regions
-- params: none
-- what:   Features and sequence-regions of a GFF3 file. The concept is type_label, where the label is the
--         feature's Name, else its first Note, else the Name or Note of its Parent; type where there is none.
--         Lines with one ID are one instance. A region says that the source looked in the whole protein.
with
parents as (
    select
        accession,
        id,
        any_value(label) as label
    from gff3_features
    where id is not null and label is not null
    group by accession, id
),

short as (
    select distinct accession
    from gff3_regions
    where not is_whole
),

named as (
    select
        f.*,
        coalesce(f.label, p.label) as full_label,
        case
            when f.fault is not null then f.fault
            when s.accession is not null then 'its sequence-region is not the whole sequence'
        end as reason
    from gff3_features as f
    left join parents as p on f.accession = p.accession and f.parent = p.id
    left join short as s on f.accession = s.accession
)

select
    row,
    0 as item,
    1 as part,
    accession,
    start,
    stop,
    concat_ws('_', type, full_label) as concept,
    type as category,
    'domain' as level,
    id as instance,
    note,
    source as evidence,
    if(reason is null, 'span', 'fault') as state,
    reason
from named
union all
select
    row,
    0 as item,
    1 as part,
    accession,
    start,
    stop,
    null as concept,
    null as category,
    null as level,
    null as instance,
    null as note,
    null as evidence,
    if(is_whole, 'looked', 'fault') as state,
    if(is_whole, null, 'the sequence-region is not the whole sequence') as reason
from gff3_regions
