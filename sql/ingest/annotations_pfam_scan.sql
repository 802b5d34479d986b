-- output: annotation_lines
-- grain:  row
-- inputs: format_lines
-- params: none
-- what:   Lines of pfam_scan.pl at their envelope coordinates. The concept is Pfam_name; a match that is not
--         significant is left out.
with
fields as (
    select
        row,
        regexp_split_to_array(trim(line), '\s+') as f
    from format_lines
    where not starts_with(line, '#')
)

select
    row,
    0 as item,
    1 as part,
    regexp_replace(f[1], '^(?:sp|tr)\|([^|]+)\|.*$', '\1') as accession,
    f[4] as start,
    f[5] as stop,
    'Pfam_' || f[7] as concept,
    'Pfam' as category,
    'domain' as level,
    null as instance,
    f[8] as note,
    split_part(f[6], '.', 1) as evidence,
    case
        when len(f) < 15 then 'fault'
        when f[14] = '1' then 'span'
        else 'left out'
    end as state,
    case
        when len(f) < 15 then format('{} words, fewer than 15', len(f))
        when f[14] <> '1' then 'not significant'
    end as reason
from fields
