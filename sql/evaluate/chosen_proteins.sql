-- output: chosen_proteins
-- grain:  accession
-- inputs: proteins
-- params: $split VARCHAR         train, valid, test, or all of them
--         $max_proteins INTEGER  at most so many
-- what:   The proteins that SAEs are evaluated on, in an order that says nothing of them, so that the first
--         ones are a sample. Private ones are left out, so that what is measured may be published.
select
    accession,
    sequence
from proteins
where not is_private and ($split = 'all' or split = $split)
order by md5(accession), accession
limit $max_proteins
