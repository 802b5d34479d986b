-- output: protein_candidates
-- grain:  file, row
-- inputs: protein_rows
-- params: $file INTEGER       place of the file among those being added
--         $source VARCHAR     name of the file
--         $is_export BOOLEAN  whether bad rows are rejected one by one, as UniProt's are
-- what:   Each row with its sequence tidied: white space out, one * at the end off, upper case.
--         n_letters counts the letters before the first character that is none, the stranger.
with
tidied as (
    select
        * exclude (sequence),
        regexp_replace(coalesce(sequence, ''), '\s+', '', 'g') as letters,
        regexp_matches(coalesce(sequence, ''), '\s') as had_space
    from protein_rows
),

cleaned as (
    select
        * exclude (letters),
        regexp_replace(letters, '\*$', '') as letters,
        ends_with(letters, '*') as had_stop
    from tidied
)

select
    $file as file,
    row,
    $source as source,
    $is_export as is_export,
    is_ragged,
    accession,
    name,
    organism,
    reviewed,
    upper(letters) as sequence,
    length(letters)::integer as length,
    length(regexp_extract(letters, '^[A-Za-z]*'))::integer as n_letters,
    letters[length(regexp_extract(letters, '^[A-Za-z]*')) + 1] as stranger,
    md5(upper(letters)) as sequence_md5,
    stated_length,
    split,
    cluster,
    is_private as private_text,
    coalesce(try_cast(is_private as boolean), false) as is_private,
    note,
    regexp_matches(letters, '[a-z]') as was_lower,
    had_stop,
    had_space
from cleaned
