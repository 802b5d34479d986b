-- output: unfinished
-- grain:  sae
-- inputs: encoding_plans, encoding_failures, encodings, proteins
-- params: none
-- what:   SAEs with proteins that were to be encoded and are not, how many of them failed, and in which
--         number format others were encoded.
select
    l.sae,
    count(*) as n_planned,
    count(e.protein_id) as n_encoded,
    count(*) - count(e.protein_id) as n_missing,
    count(f.protein_id) as n_failed,
    max(e.dtype) as dtype
from encoding_plans as l
inner join proteins as p on l.n_proteins > p.protein_id
left join encodings as e on l.sae = e.sae and p.protein_id = e.protein_id
left join encodings as k on l.like_sae = k.sae and p.protein_id = k.protein_id
left join encoding_failures as f on l.sae = f.sae and p.protein_id = f.protein_id
where l.like_sae is null or k.protein_id is not null
group by l.sae
having count(*) > count(e.protein_id)
order by l.sae
