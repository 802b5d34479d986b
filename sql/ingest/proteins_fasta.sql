-- output: protein_rows
-- grain:  row
-- inputs: protein_source
-- params: none
-- what:   Records of a FASTA file. UniProt's headers (sp|P12345|NAME_HUMAN text OS=organism OX=…) are
--         taken apart; of any other header the first word is the accession and the rest the name.
with
words as (
    select
        row,
        sequence,
        regexp_extract(header, '^\s*(\S*)', 1) as first_word,
        regexp_extract(header, '^\s*\S*\s*(.*)$', 1) as description
    from protein_source
),

identified as (
    select
        row,
        sequence,
        first_word,
        description,
        regexp_extract(first_word, '^(sp|tr)\|[^|]+\|', 1) as collection
    from words
)

select
    row,
    false as is_ragged,
    if(collection = '', first_word, split_part(first_word, '|', 2)) as accession,
    coalesce(
        nullif(regexp_extract(description, '^(.*?)\s*(?:OS=.*)?$', 1), ''),
        nullif(if(collection = '', '', split_part(first_word, '|', 3)), '')
    ) as name,
    nullif(regexp_extract(description, 'OS=(.*?)(?: [A-Z]{2}=.*)?$', 1), '') as organism,
    case collection when 'sp' then true when 'tr' then false end as reviewed,
    sequence,
    null::varchar as stated_length,
    null::varchar as split,
    null::varchar as cluster,
    null::varchar as is_private,
    null::varchar as note
from identified
