-- output: protein_conflicts
-- grain:  file, row, reason
-- inputs: protein_sound, protein_known, protein_keys, protein_splits
-- params: none
-- what:   Rows that contradict the warehouse or an earlier row: an accession with another sequence,
--         cluster or split, a sequence in two clusters, twins or relatives on both sides of the split.
with
compared as (
    select
        c.*,
        w.accession is not null as is_known,
        w.sequence_md5 as known_md5,
        w.split as known_split,
        w.cluster as known_cluster,
        k.cluster as key_cluster,
        s.split as key_split,
        s.n_known_splits
    from protein_sound as c
    inner join protein_keys as k on c.sequence_md5 = k.sequence_md5
    left join protein_splits as s on k.split_key = s.split_key
    left join protein_known as w on c.accession = w.accession
)

select
    file,
    row,
    'the accession stands for another sequence already' as reason,
    if(is_known, 'in the warehouse', 'earlier in the input') as text
from compared
where sequence_md5 <> coalesce(known_md5, first_md5)
union all
select
    file,
    row,
    'the protein is in another cluster already' as reason,
    format('{} in the warehouse, {} here', coalesce(known_cluster, 'none'), cluster) as text
from compared
where is_known and cluster is not null and cluster is distinct from known_cluster
union all
select
    file,
    row,
    'the same sequence stands in two clusters' as reason,
    format('{} and {}', key_cluster, cluster) as text
from compared
where cluster <> key_cluster
union all
select
    file,
    row,
    'it joins proteins of the warehouse that are in different splits' as reason,
    coalesce('cluster ' || key_cluster, 'its sequence') as text
from compared
where n_known_splits > 1 and not is_known
union all
select
    file,
    row,
    'the same protein, sequence or cluster is in another split already' as reason,
    format('{} there, {} here', coalesce(known_split, key_split), split) as text
from compared
where split <> coalesce(known_split, key_split)
