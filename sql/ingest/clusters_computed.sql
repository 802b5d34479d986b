-- output: cluster_members
-- grain:  row
-- inputs: cluster_lines, proteins
-- params: none
-- what:   What MMseqs2 found among the distinct sequences, which it knows by their md5: every protein with a
--         sequence is in its cluster, which has the name of the representative's first accession.
with
named as (
    select
        md5(sequence) as sequence_md5,
        arg_min(accession, protein_id) as accession
    from proteins
    group by all
),

found as (
    select
        trim(split_part(line, chr(9), 1)) as representative,
        trim(split_part(line, chr(9), 2)) as sequence_md5
    from cluster_lines
)

select
    p.protein_id as row,
    p.accession as member,
    n.accession as cluster
from found as f
inner join named as n on f.representative = n.sequence_md5
inner join proteins as p on f.sequence_md5 = md5(p.sequence)
