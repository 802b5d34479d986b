-- output: annotation_lines
-- grain:  row
-- inputs: format_rows, known_proteins
-- params: none
-- what:   Rows of Pfam's regions.tsv, whose seq_start and seq_end are envelope coordinates. The concept is
--         Pfam_accession.
with
judged as (
    select
        r.*,
        lower(r.md5) <> p.sequence_md5 as is_other
    from format_rows as r
    left join known_proteins as p on r.accession = p.accession
)

select
    row,
    0 as item,
    1 as part,
    accession,
    seq_start as start,
    seq_end as stop,
    'Pfam_' || pfama_acc as concept,
    'Pfam' as category,
    'domain' as level,
    null as instance,
    null as note,
    pfama_acc as evidence,
    if(is_other, 'fault', 'span') as state,
    if(is_other, 'the md5 is that of another sequence', null) as reason
from judged
