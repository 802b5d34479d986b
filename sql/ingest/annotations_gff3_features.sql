-- output: gff3_features
-- grain:  row
-- inputs: gff3_body
-- params: none
-- what:   Feature lines of a GFF3 file in their columns, percent escapes decoded. Of several Notes the first
--         may name the concept.
with
fields as (
    select
        row,
        string_split(line, chr(9)) as f
    from gff3_body
    where not starts_with(line, '#')
),

texts as (
    select
        row,
        len(f) as n_fields,
        f[1] as seqid,
        f[2] as source,
        f[3] as type,
        f[4] as start,
        f[5] as stop,
        f[7] as strand,
        nullif(regexp_extract(f[9], '(?:^|;)\s*ID=([^;]*)', 1), '') as id,
        nullif(regexp_extract(f[9], '(?:^|;)\s*Name=([^;]*)', 1), '') as name,
        nullif(regexp_extract(f[9], '(?:^|;)\s*Note=([^;]*)', 1), '') as note,
        nullif(regexp_extract(f[9], '(?:^|;)\s*Parent=([^;,]*)', 1), '') as parent
    from fields
),

decoded as (
    select
        row,
        n_fields,
        strand,
        start,
        stop,
        -- Escapes that are no UTF-8 give NULL.
        try(url_decode(seqid)) as seqid,
        try(url_decode(source)) as source,
        try(url_decode(type)) as type,
        try(url_decode(id)) as id,
        try(url_decode(coalesce(name, split_part(note, ',', 1)))) as label,
        try(url_decode(parent)) as parent,
        try(url_decode(note)) as note,
        (
            try(url_decode(concat_ws(',', seqid, source, type, id, name, note, parent))) is null
        ) as is_unreadable
    from texts
)

select
    row,
    regexp_replace(seqid, '^(?:sp|tr)\|([^|]+)\|.*$', '\1') as accession,
    source,
    trim(type) as type,
    start,
    stop,
    id,
    trim(label) as label,
    parent,
    note,
    case
        when n_fields <> 9 then format('{} fields with tabs between, not 9', n_fields)
        when is_unreadable then 'percent escapes are not UTF-8'
        when strand = '-' then 'the strand is -: positions in DNA, not in a protein'
        when regexp_matches(concat_ws('', seqid, type, label), '[\x00-\x1f\x7f]')
            then 'a control character in a name'
        when coalesce(trim(type), '') = '' then 'no type'
    end as fault
from decoded
