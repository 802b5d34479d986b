-- output: test_relatives
-- grain:  protein_id
-- inputs: proteins
-- params: none
-- what:   The proteins of test that have a relative in valid: of the same cluster, or with the same sequence.
with
chosen_on as (
    select distinct
        cluster,
        sequence
    from proteins
    where split = 'valid'
)

select
    p.protein_id,
    p.accession,
    p.cluster
from proteins as p
where
    p.split = 'test'
    and (
        p.cluster in (select c.cluster from chosen_on as c where c.cluster is not null)
        or p.sequence in (select c.sequence from chosen_on as c)
    )
