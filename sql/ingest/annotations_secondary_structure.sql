-- output: annotation_lines
-- grain:  row, item
-- inputs: format_records, known_proteins
-- params: none
-- what:   Strings of secondary structure, one letter of DSSP per residue: each run of a letter is a span and
--         an instance; coil (C, -, ~, . or a space) is none. Every protein counts as looked at.
with
named as (
    select
        row,
        accession,
        codes,
        regexp_extract_all(codes, 'H+|G+|I+|E+|B+|T+|S+|P+|[-C~. ]+') as runs,
        count(*) over (partition by accession) as n_records
    from format_records
),

judged as (
    select
        n.*,
        case
            when n.n_records > 1 then 'the protein is there more than once'
            when p.accession is null then null
            when length(n.codes) <> p.length then format('{} letters of structure', length(n.codes))
            when coalesce(list_sum(list_transform(n.runs, lambda run: length(run))), 0) <> length(n.codes)
                then
                    'unknown letter '
                    || left(regexp_replace(n.codes, '[HGIEBTSPC~. -]', '', 'g'), 1)
        end as fault
    from named as n
    left join known_proteins as p on n.accession = p.accession
),

pieces as (
    select
        row,
        accession,
        unnest(runs) as run,
        unnest(range(1, len(runs) + 1)) as item
    from judged
    where fault is null
),

spans as (
    select
        *,
        sum(length(run)) over (partition by row order by item) as stop
    from pieces
),

classes as (
    select
        t.code,
        t.concept
    from (
        values
        ('H', 'DSSP_Helix'),
        ('G', 'DSSP_3-10 helix'),
        ('I', 'DSSP_Pi helix'),
        ('E', 'DSSP_Strand'),
        ('B', 'DSSP_Bridge'),
        ('T', 'DSSP_Turn'),
        ('S', 'DSSP_Bend'),
        ('P', 'DSSP_PPII helix')
    ) as t (code, concept)
)

select
    row,
    0 as item,
    1 as part,
    accession,
    null as start,
    null as stop,
    null as concept,
    null as category,
    null as level,
    null as instance,
    null as note,
    null as evidence,
    if(fault is null, 'looked', 'fault') as state,
    fault as reason
from judged
union all
select
    s.row,
    s.item::integer as item,
    1 as part,
    s.accession,
    (s.stop - length(s.run) + 1)::varchar as start,
    s.stop::varchar as stop,
    c.concept,
    'DSSP' as category,
    'domain' as level,
    null as instance,
    null as note,
    null as evidence,
    'span' as state,
    null as reason
from spans as s
inner join classes as c on left(s.run, 1) = c.code
