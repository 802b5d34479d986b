-- output: activation_blocks
-- grain:  protein_id
-- inputs: activation_profile, proteins, encodings
-- params: $sae VARCHAR        the SAE
--         $covers VARCHAR     'listed': the proteins of the file; 'all': every protein
--         $block_rows BIGINT  rows after which the next block begins
-- what:   The proteins that count as encoded from now on, cut into blocks of whole proteins in order.
with
encoded as (
    select protein_id
    from encodings
    where sae = $sae
),

fresh as (
    select
        p.protein_id,
        p.accession,
        p.length,
        coalesce(f.n_rows, 0) as n_rows,
        coalesce(f.n_positive, 0) as n_positive,
        f.accession is not null as is_listed
    from proteins as p
    left join activation_profile as f on p.protein_id = f.protein_id
    anti join encoded as e on p.protein_id = e.protein_id
    where f.accession is not null or $covers = 'all'
)

select
    protein_id,
    accession,
    length,
    n_positive,
    is_listed,
    (
        coalesce(sum(n_rows) over (
            order by protein_id
            rows between unbounded preceding and 1 preceding
        ), 0) // $block_rows
    )::bigint as block
from fresh
