-- output: protein_splits
-- grain:  split_key
-- inputs: protein_sound, protein_known, protein_keys
-- params: none
-- what:   The split that each key has already: as in the warehouse, else as the input first gives it.
--         More than one in the warehouse means that the input joins what stands on both sides.
with
every as (
    select
        sequence_md5,
        split,
        -1 as file,
        protein_id as row
    from protein_known
    union all
    select
        sequence_md5,
        split,
        file,
        row
    from protein_sound
    where split is not null
)

select
    k.split_key,
    arg_min(e.split, (e.file, e.row)) as split,
    count(distinct e.split) filter (where e.file = -1) as n_known_splits
from every as e
inner join protein_keys as k on e.sequence_md5 = k.sequence_md5
group by k.split_key
