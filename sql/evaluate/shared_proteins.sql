-- output: shared_proteins
-- grain:  sae
-- inputs: encodings
-- params: $saes VARCHAR[]  the SAEs
-- what:   How many proteins each SAE has encoded, and how many of them all of the SAEs have.
with
holders as (
    select
        protein_id,
        count(*) as n_saes
    from encodings
    where list_contains($saes, sae)
    group by protein_id
)

select
    e.sae,
    count(*) as n_proteins,
    count(*) filter (where h.n_saes = len($saes)) as n_shared
from encodings as e
inner join holders as h on e.protein_id = h.protein_id
where list_contains($saes, e.sae)
group by e.sae
order by e.sae
