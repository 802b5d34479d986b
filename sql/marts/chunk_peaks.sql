-- output: chunk_peaks
-- grain:  feature, protein_id
-- inputs: chunk_activations, chunk_residues
-- params: $presence FLOAT  strict lower bound on normalised activation that counts as present
-- what:   The strongest residue of each feature on each protein of a chunk, and how many residues have it.

-- The peak is one number that orders by activation and then by lowest position: the activation
-- times (1 + m / 2^46), m falling from 2^20 with the position. A FLOAT has 24 bits, so the factor
-- changes none of them, and a DOUBLE has 53, so m is still there to be read.
with
peaks as (
    select
        b.feature,
        r.protein_id,
        max(b.activation::double * (1 + (1048576 - r.position) / 70368744177664.0::double)) as peak,
        count(*) filter (where b.activation > $presence::float) as n_residues
    from chunk_activations as b
    inner join chunk_residues as r on b.place = r.place
    where b.activation > 0
    group by b.feature, r.protein_id
)

select
    feature,
    protein_id,
    peak::float as activation,
    (1048576 - round((peak / peak::float::double - 1) * 70368744177664.0::double))::integer as position,
    n_residues::integer as n_residues
from peaks
