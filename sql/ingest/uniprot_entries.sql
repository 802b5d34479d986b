-- output: uniprot_entries
-- grain:  row
-- inputs: uniprot_lines, known_proteins, seen_entries
-- params: none
-- what:   Entries of an export with their protein in the warehouse, or the reason why one is not taken.
--         An accession counts once: the first entry stands, whether in these lines or in earlier ones.
with
entries as (
    select
        row,
        is_ragged,
        coalesce(trim(entry), '') as accession,
        regexp_replace(upper(sequence), '\s|\*\s*$', '', 'g') as sequence,
        md5(concat_ws(
            chr(9), sequence, "Active site", "Beta strand", "Binding site", "Coiled coil",
            "Compositional bias", "Disulfide bond", "Domain [FT]", glycosylation, helix, lipidation,
            "Modified residue", motif, region, "Signal peptide", "Transit peptide", turn, "Zinc finger"
        )) as digest
    from uniprot_lines
),

matched as (
    select
        e.row,
        e.is_ragged,
        e.accession,
        e.digest,
        p.protein_id,
        p.length,
        md5(e.sequence) <> p.sequence_md5 as is_other_sequence,
        coalesce(s.digest, first_value(e.digest) over earlier) as first_digest,
        s.accession is not null or row_number() over earlier > 1 as is_repeated
    from entries as e
    left join known_proteins as p on e.accession = p.accession
    left join seen_entries as s on e.accession = s.accession
    window earlier as (partition by e.accession, e.is_ragged order by e.row)
)

select
    row,
    accession,
    protein_id,
    length,
    digest,
    not is_ragged and accession <> '' and not is_repeated as is_first,
    case
        when is_ragged then 'wrong number of columns'
        when accession = '' then 'no accession'
        when is_repeated and digest = first_digest then 'repeats an earlier entry'
        when is_repeated then 'differs from an earlier entry of the same accession'
        when protein_id is null then 'unknown protein'
        when is_other_sequence then 'other sequence than in the warehouse'
    end as reason
from matched
