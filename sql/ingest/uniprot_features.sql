-- output: uniprot_features
-- grain:  row, category, item
-- inputs: uniprot_lines, uniprot_entries, uniprot_categories
-- params: none
-- what:   Feature texts cut into features. A feature is a key, a position and qualifiers in quotes; a quote
--         ends a value only where the text ends or "; " and a qualifier or a key follow, so that values may
--         hold semicolons, quotes and words that look like keys. Where something stands between features, the
--         whole text follows them as one more row.
with
columns_down as (
    unpivot (from uniprot_lines)
    on columns(* exclude (row, is_ragged, entry, sequence))
    into name column_name value text
),

texts as (
    select
        d.row,
        e.accession,
        e.protein_id,
        e.length,
        c.category,
        c.key,
        c.level,
        c.is_whole,
        trim(d.text) as text
    from columns_down as d
    inner join uniprot_entries as e on d.row = e.row
    inner join uniprot_categories as c on d.column_name = c.column_name
    where e.reason is null and trim(d.text) <> ''
),

cuts as (
    select
        *,
        regexp_extract_all(
            text,
            '[A-Z][A-Z_]+ [^;"/]*(?:; ?/[a-z_]+="(?:[^"]|"+[^";]|"+;(?:[^ /]| [^/A-Z]))*"*")*(?:; *|$)'
        ) as features
    from texts
),

pieces as (
    select
        * exclude (text, features),
        len(features) as n_features,
        unnest(features || if(array_to_string(features, '') = text, [], [text])) as text,
        generate_subscripts(features || if(array_to_string(features, '') = text, [], [text]), 1) as item
    from cuts
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
    item::integer as item,
    item <= n_features as is_feature,
    rtrim(text, '; ') as text
from pieces
