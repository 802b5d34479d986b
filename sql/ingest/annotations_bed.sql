-- output: annotation_lines
-- grain:  row, part
-- inputs: format_lines
-- params: none
-- what:   Lines of a BED file: 0-based and half-open there, so that start + 1 is the first residue and stop
--         the last. Column 4 is the concept; the blocks of a line are one instance.
with
fields as (
    select
        row,
        if(contains(line, chr(9)), string_split(line, chr(9)), regexp_split_to_array(trim(line), '\s+')) as f
    from format_lines
    where not regexp_matches(line, '^(#|track\s|browser\s)')
),

numbers as (
    select
        row,
        f,
        try_cast(f[2] as bigint)::hugeint as chrom_start,
        try_cast(f[3] as bigint)::hugeint as chrom_end,
        try_cast(string_split(rtrim(f[11], ','), ',') as bigint[]) as sizes,
        try_cast(string_split(rtrim(f[12], ','), ',') as bigint[]) as offsets
    from fields
),

judged as (
    select
        *,
        case
            when len(f) < 4 then format('{} columns, so that no name is there', len(f))
            when len(f) > 12 then format('{} columns, more than BED has', len(f))
            when f[6] = '-' then 'the strand is -: positions in DNA, not in a protein'
            when len(f) < 12 then null
            when
                not coalesce(
                    try_cast(f[10] as bigint) = len(sizes)
                    and len(sizes) = len(offsets)
                    and offsets[1] = 0
                    and list_min(sizes) > 0
                    and list_min(offsets) = 0
                    and chrom_start + offsets[-1]::hugeint + sizes[-1]::hugeint = chrom_end,
                    false
                )
                then 'its blocks do not fit its start and end'
        end as fault
    from numbers
),

blocks as (
    select
        *,
        -- Without blocks a line is one, from its start to its end.
        if(fault is null and len(f) = 12, offsets, [0]) as block_offsets,
        if(fault is null and len(f) = 12, sizes, [(chrom_end - chrom_start)::hugeint]) as block_sizes
    from judged
),

parts as (
    select
        *,
        unnest(range(1, len(block_sizes) + 1)) as part
    from blocks
)

select
    row,
    0 as item,
    part::integer as part,
    regexp_replace(f[1], '^(?:sp|tr)\|([^|]+)\|.*$', '\1') as accession,
    -- A line that cannot be taken is shown as it is written.
    if(fault is null, coalesce((chrom_start + block_offsets[part] + 1)::varchar, f[2]), f[2]) as start,
    if(
        fault is null, coalesce((chrom_start + block_offsets[part] + block_sizes[part])::varchar, f[3]), f[3]
    ) as stop,
    f[4] as concept,
    null as category,
    null as level,
    null as instance,
    null as note,
    f[5] as evidence,
    if(fault is null, 'span', 'fault') as state,
    fault as reason
from parts
