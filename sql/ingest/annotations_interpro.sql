-- output: annotation_lines
-- grain:  row
-- inputs: format_lines, known_proteins
-- params: none
-- what:   Lines of InterProScan's TSV. The concept is analysis_description: that of the signature, else of
--         its InterPro entry, else the signature's accession. A match whose status is not T is left out.
with
fields as (
    select
        row,
        list_transform(string_split(line, chr(9)), lambda x: nullif(nullif(trim(x), ''), '-')) as f
    from format_lines
    where not starts_with(line, '#')
),

named as (
    select
        row,
        f,
        regexp_replace(f[1], '^(?:sp|tr)\|([^|]+)\|.*$', '\1') as accession
    from fields
),

judged as (
    select
        n.*,
        case
            when len(n.f) not between 11 and 15
                then format('{} fields with tabs between, not 11 to 15', len(n.f))
            when n.f[4] is null then 'no analysis'
            when p.accession is null then null
            when coalesce(try_cast(n.f[3] as bigint), -1) <> p.length
                then format('the length is {} there', coalesce(n.f[3], 'empty'))
            when coalesce(lower(n.f[2]), '') <> p.sequence_md5 then 'the md5 is that of another sequence'
        end as fault
    from named as n
    left join known_proteins as p on n.accession = p.accession
)

select
    row,
    0 as item,
    1 as part,
    accession,
    f[7] as start,
    f[8] as stop,
    f[4] || '_' || coalesce(f[6], f[13], f[5]) as concept,
    f[4] as category,
    'domain' as level,
    null as instance,
    nullif(concat_ws(' ', f[12], f[13]), '') as note,
    f[5] as evidence,
    case
        when fault is not null then 'fault'
        when coalesce(f[10], '') <> 'T' then 'left out'
        else 'span'
    end as state,
    case
        when fault is not null then fault
        when coalesce(f[10], '') <> 'T' then 'the status is not T'
    end as reason
from judged
