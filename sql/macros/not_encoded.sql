-- output: not_encoded
-- grain:  accession
-- inputs: encoding_plans, encoding_failures, encodings, proteins
-- params: $wanted_sae VARCHAR  SAE
-- what:   The proteins that were to be encoded with an SAE and are not, with the reason where one failed.
select
    p.accession,
    p.protein_id,
    p.length,
    f.reason
from encoding_plans as l
inner join proteins as p on l.n_proteins > p.protein_id
left join encodings as k on l.like_sae = k.sae and p.protein_id = k.protein_id
left join encoding_failures as f on l.sae = f.sae and p.protein_id = f.protein_id
anti join encodings as e on l.sae = e.sae and p.protein_id = e.protein_id
where
    l.sae = $wanted_sae
    and (l.like_sae is null or k.protein_id is not null)
order by p.protein_id
