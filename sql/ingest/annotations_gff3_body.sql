-- output: gff3_body
-- grain:  row
-- inputs: format_lines
-- params: none
-- what:   Lines of a GFF3 file up to the sequences, which ##FASTA or a line with > announces.
with
sequences as (
    select min(row) as first_row
    from format_lines
    where starts_with(line, '##FASTA') or starts_with(line, '>')
)

select
    l.row,
    l.line
from format_lines as l
cross join sequences as s
where l.row < coalesce(s.first_row, l.row + 1)
