-- output: uniprot_entries
-- grain:  row
-- inputs: uniprot_lines, known_proteins, seen_entries
-- params: none
-- what:   Entries of an export with their protein in the warehouse, or the reason why one is not taken.
--         An accession counts once: the first entry stands, whether in these lines or in earlier ones.
with
entries as (
    select
        * exclude ("Entry", "Sequence"),
        coalesce(trim("Entry"), '') as accession,
        regexp_replace(upper("Sequence"), '\s|\*\s*$', '', 'g') as sequence,
        md5(concat_ws(
            chr(9), "Sequence", "Active site", "Beta strand", "Binding site", "Coiled coil", "Compositional bias",
            "Disulfide bond", "Domain [FT]", "Glycosylation", "Helix", "Lipidation", "Modified residue", "Motif",
            "Region", "Signal peptide", "Transit peptide", "Turn", "Zinc finger"
        )) as digest
    from uniprot_lines
),

matched as (
    select
        e.*,
        p.protein_id,
        p.length,
        p.sequence_md5,
        coalesce(s.digest, first_value(e.digest) over earlier) as first_digest,
        s.accession is not null or row_number() over earlier > 1 as is_repeated
    from entries as e
    left join known_proteins as p on e.accession = p.accession
    left join seen_entries as s on e.accession = s.accession
    window earlier as (partition by e.accession, e.is_ragged order by e.row)
)

select
    * exclude (is_ragged, sequence, sequence_md5, first_digest, is_repeated),
    not is_ragged and accession <> '' and not is_repeated as is_first,
    case
        when is_ragged then 'wrong number of columns'
        when accession = '' then 'no accession'
        when is_repeated and digest = first_digest then 'repeats an earlier entry'
        when is_repeated then 'differs from an earlier entry of the same accession'
        when protein_id is null then 'unknown protein'
        when md5(sequence) <> sequence_md5 then 'other sequence than in the warehouse'
    end as reason
from matched
