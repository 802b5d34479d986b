-- output: uniprot_spans
-- grain:  row, category, item
-- inputs: uniprot_qualifiers
-- params: none
-- what:   Features read: the spans that each covers (the two ends of a disulfide bond are two), its subtype,
--         note and evidence, and the reason why it, or a part of it, is not taken. "<" and ">" are dropped,
--         "?" and positions in another isoform are not taken, but a disulfide bond keeps its known end.
with
numbers as (
    select
        * exclude (first_text, last_text),
        contains(first_text, '?') as is_first_uncertain,
        contains(last_text, '?') as is_last_uncertain,
        try_cast(ltrim(first_text, '<>?') as integer) as first_number,
        try_cast(ltrim(last_text, '<>?') as integer) as last_number
    from uniprot_qualifiers
),

ends as (
    select
        *,
        category = 'Disulfide bond' as is_bond,
        list_sort(list_distinct([
            if(is_first_uncertain, null, first_number), if(is_last_uncertain, null, last_number)
        ])) as known_ends
    from numbers
),

judged as (
    select
        *,
        case
            when not is_feature then 'text beside the features'
            when text_key = '' then 'unreadable position'
            when text_key <> key then 'feature of another column'
            when is_unclosed then 'quotes do not pair'
            when is_isoform then 'position in another isoform'
            when first_number is null and not is_first_uncertain then 'unreadable position'
            when last_number is null and not is_last_uncertain then 'unreadable position'
            when (is_first_uncertain or is_last_uncertain) and not (is_bond and len(known_ends) = 1)
                then 'uncertain position'
            when known_ends[1] < 1 then 'position below 1'
            when len(known_ends) = 2 and first_number > last_number then 'start after stop'
            when known_ends[1] > length then 'start beyond the sequence'
        end as reason
    from ends
)

select
    row,
    accession,
    protein_id,
    category,
    level,
    is_whole,
    item,
    text,
    reason,
    reason is null and known_ends[-1] > length as is_clipped,
    case
        when reason is not null then []
        when is_bond
            then list_transform(
                list_filter(known_ends, lambda x: x <= length), lambda x: struct_pack(start := x, stop := x)
            )
        else [struct_pack(start := first_number, stop := least(last_number, length))]
    end as spans,
    note,
    coalesce(
        evidence, nullif(regexp_extract(note, '(?:^|\()(Potential|Probable|By similarity)\)?$', 1), '')
    ) as evidence,
    -- neither what follows ";" nor an old mark of weak evidence nor a trailing counter is the subtype
    regexp_replace(
        regexp_replace(
            trim(split_part(coalesce(ligand, note, ''), ';', 1)),
            '(?:^|\s*\()(?:Potential|Probable|By similarity)\)?$',
            ''
        ),
        '(?:^|\s+)\d+$',
        ''
    ) as subtype
from judged
