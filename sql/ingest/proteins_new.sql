-- output: proteins
-- grain:  protein_id
-- inputs: protein_candidates, protein_fates, protein_keys, protein_known, protein_splits
-- params: $seed BIGINT   seed of the warehouse
-- what:   The proteins that are added. A split is as given, else as the key (cluster or sequence) has
--         it already, else the last hex digit of md5('seed:key'): half valid, half test.
with
numbered as (
    select
        c.*,
        row_number() over (order by c.file, c.row) as place,
        (select coalesce(max(protein_id) + 1, 0) from protein_known) as first_id
    from protein_candidates as c
    inner join protein_fates as f on c.file = f.file and c.row = f.row
    where f.fate = 'new'
)

select
    (n.first_id + n.place - 1)::integer as protein_id,
    n.accession,
    n.name,
    n.organism,
    n.reviewed,
    n.sequence,
    n.length,
    coalesce(
        s.split,
        if(substr(md5($seed || ':' || coalesce(k.cluster, n.sequence)), 32, 1) < '8', 'valid', 'test')
    ) as split,
    n.cluster,
    n.is_private,
    ('0x' || left(md5($seed || ':' || n.accession), 7))::bigint as sample_key,
    n.note
from numbered as n
inner join protein_keys as k on n.sequence_md5 = k.sequence_md5
left join protein_splits as s on k.split_key = s.split_key
