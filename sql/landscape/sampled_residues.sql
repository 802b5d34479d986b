-- output: sampled_residues
-- grain:  residue
-- inputs: proteins, encodings
-- params: $sae VARCHAR         SAE that has encoded the proteins
--         $other_sae VARCHAR   another that has; the same where there is none
--         $n_proteins INTEGER  proteins at most, the first in the order of their sample_key
--         $n_residues BIGINT   residues that are aimed at
-- what:   Residues of a sample of proteins. Each residue of those proteins is as likely to be in it as any
--         other, by a number that follows from the protein's sample_key and the position alone.
with
chosen as (
    select
        p.protein_id,
        p.length,
        p.sample_key
    from proteins as p
    where
        p.protein_id in (select e.protein_id from encodings as e where e.sae = $sae)
        and p.protein_id in (select e.protein_id from encodings as e where e.sae = $other_sae)
    order by p.sample_key asc, p.accession asc
    limit $n_proteins
),

keyed as (
    select
        c.protein_id,
        c.length,
        c.sample_key,
        r.position::integer as position,
        (c.sample_key + r.position * 1103515245::bigint) % 2147483647 as x
    from chosen as c
    cross join unnest(range(1, c.length + 1)) as r (position)
),

wanted as (
    select $n_residues / sum(length)::double as share
    from chosen
)

select
    (row_number() over (order by k.protein_id asc, k.position asc))::integer as residue,
    k.protein_id,
    k.position,
    k.length,
    k.sample_key
from keyed as k
cross join wanted as w
where (k.x * k.x + k.sample_key) % 2147483647 < w.share * 2147483647
