-- output: uniprot_qualifiers
-- grain:  row, category, item
-- inputs: uniprot_features
-- params: none
-- what:   Features taken apart as text: key, isoform, first and last position, note, evidence, ligand, and
--         whether a value holds what looks like the start of another (a quote that does not close).
with
parsed as (
    select
        *,
        regexp_extract(
            text,
            '^([A-Z_]+) (?:([^;:"]+):)?([<>?]*\d*)(\.\.([<>?]*\d*))?(?:;|$)',
            ['key', 'isoform', 'first', 'range', 'last']
        ) as position,
        regexp_extract_all(
            text, '/[a-z_]+="(?:[^"]|"+[^";]|"+;(?:[^ /]| [^/A-Z]))*"*"(?:;|$)'
        ) as qualifiers
    from uniprot_features
),

named as (
    select
        * exclude (position, qualifiers),
        struct_extract(position, 'key') as text_key,
        struct_extract(position, 'isoform') <> '' as is_isoform,
        struct_extract(position, 'first') as first_text,
        if(
            struct_extract(position, 'range') = '',
            struct_extract(position, 'first'),
            struct_extract(position, 'last')
        ) as last_text,
        list_transform(qualifiers, lambda q: split_part(q, '="', 1)) as names,
        list_transform(qualifiers, lambda q: regexp_replace(q, '^/[a-z_]+="|";?$', '', 'g')) as contents
    from parsed
)

select
    row,
    accession,
    protein_id,
    length,
    category,
    key,
    level,
    is_whole,
    item,
    is_feature,
    text,
    text_key,
    is_isoform,
    first_text,
    last_text,
    contents[list_position(names, '/note')] as note,
    contents[list_position(names, '/evidence')] as evidence,
    if(category = 'Binding site', contents[list_position(names, '/ligand')], null) as ligand,
    regexp_matches(array_to_string(contents, ' '), '/[a-z_]+="') as is_unclosed
from named
