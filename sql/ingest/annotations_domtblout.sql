-- output: annotation_lines
-- grain:  row
-- inputs: format_lines, known_proteins
-- params: $max_evalue DOUBLE   matches with a higher independent E-value are left out
-- what:   Lines of HMMER's --domtblout at their envelope coordinates. Which side is the protein is said by
--         the line '# Program:' of the file, else by the side that has a Pfam accession.
with
program as (
    select any_value(regexp_extract(line, '^# Program:\s*(\w+)', 1)) as name
    from format_lines
    where starts_with(line, '# Program:')
),

fields as (
    select
        l.row,
        regexp_split_to_array(trim(l.line), '\s+') as f,
        p.name as program
    from format_lines as l
    cross join program as p
    where not starts_with(l.line, '#')
),

sided as (
    select
        *,
        case
            when program in ('hmmscan', 'hmmsearch') then program = 'hmmscan'
            when regexp_matches(f[2], '^PF\d{5}') then true
            when regexp_matches(f[5], '^PF\d{5}') then false
        end as is_scan
    from fields
),

named as (
    select
        *,
        regexp_replace(if(is_scan, f[4], f[1]), '^(?:sp|tr)\|([^|]+)\|.*$', '\1') as accession,
        if(is_scan, f[6], f[3]) as stated_length,
        if(is_scan, f[1], f[4]) as hmm,
        nullif(if(is_scan, f[2], f[5]), '-') as hmm_accession,
        try_cast(f[13] as double) as evalue
    from sided
),

judged as (
    select
        n.*,
        if(regexp_matches(coalesce(n.hmm_accession, ''), '^PF\d{5}'), 'Pfam', 'HMM') as category,
        case
            when len(n.f) < 22 then format('{} words, fewer than 22', len(n.f))
            when n.is_scan is null then 'neither side is known to be the protein: no line "# Program:"'
            when n.evalue is null or isnan(n.evalue) then 'the i-Evalue is no number'
            when p.length <> coalesce(try_cast(n.stated_length as bigint), -1)
                then format('the length is {} there', n.stated_length)
        end as fault
    from named as n
    left join known_proteins as p on n.accession = p.accession
)

select
    row,
    0 as item,
    1 as part,
    accession,
    f[20] as start,
    f[21] as stop,
    category || '_' || hmm as concept,
    category,
    'domain' as level,
    null as instance,
    'i-Evalue ' || f[13] as note,
    split_part(hmm_accession, '.', 1) as evidence,
    case
        when fault is not null then 'fault'
        when evalue > $max_evalue then 'left out'
        else 'span'
    end as state,
    case
        when fault is not null then fault
        when evalue > $max_evalue then format('the i-Evalue is above {}', $max_evalue)
    end as reason
from judged
