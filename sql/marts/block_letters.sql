-- output: block_letters
-- grain:  letter_group, band_feature
-- inputs: chunk_bins, chunk_letters
-- params: none
-- what:   Residues of each letter of a chunk of a block on which a feature passes each threshold.
select
    r.letter_group,
    b.band_feature,
    count(*)::integer as passed_1,
    count(*) filter (where b.passed >= 4096)::integer as passed_2,
    count(*) filter (where b.passed >= 16777216)::integer as passed_3,
    count(*) filter (where b.passed >= 68719476736)::integer as passed_4,
    count(*) filter (where b.passed >= 281474976710656)::integer as passed_5
from chunk_bins as b
inner join chunk_letters as r on b.place = r.place
group by r.letter_group, b.band_feature
