-- output: protein_faults
-- grain:  file, row, reason
-- inputs: protein_candidates
-- params: $max_accession INTEGER  longest accession, in characters
-- what:   What is wrong with a row by itself; of a row with other fields than the header, only that.
with
whole as (
    select *
    from protein_candidates
    where not is_ragged
)

select
    file,
    row,
    'the row has another number of fields than the header' as reason,
    null::varchar as text
from protein_candidates
where is_ragged
union all
select
    file,
    row,
    'there is no accession' as reason,
    null as text
from whole
where coalesce(accession, '') = ''
union all
select
    file,
    row,
    'the accession is too long' as reason,
    left(accession, 40) || '…' as text
from whole
where length(accession) > $max_accession
union all
select
    file,
    row,
    'the accession holds white space or control characters' as reason,
    accession as text
from whole
where regexp_matches(accession, '[\s[:cntrl:]]') and length(accession) <= $max_accession
union all
select
    file,
    row,
    'the sequence is empty' as reason,
    null as text
from whole
where length = 0
union all
select
    file,
    row,
    'the sequence holds a character that is no letter A to Z' as reason,
    format('''{}'' at position {}', stranger, n_letters + 1) as text
from whole
where n_letters < length
union all
select
    file,
    row,
    'the sequence is not as long as the row says' as reason,
    format('{} stated, {} letters', stated_length, length) as text
from whole
where stated_length is not null and try_cast(stated_length as integer) is distinct from length
union all
select
    file,
    row,
    'the split is not train, valid or test' as reason,
    split as text
from whole
where split not in ('train', 'valid', 'test')
union all
select
    file,
    row,
    'is_private is neither true nor false' as reason,
    private_text as text
from whole
where private_text is not null and try_cast(private_text as boolean) is null
