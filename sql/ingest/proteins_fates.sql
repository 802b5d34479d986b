-- output: protein_fates
-- grain:  file, row
-- inputs: protein_candidates, protein_sound, protein_conflicts, protein_known
-- params: $max_length INTEGER  longest sequence that is taken, in residues; NULL takes all
--         $sample BIGINT       number of proteins to draw; NULL takes all
--         $seed BIGINT         seed of the draw
-- what:   What becomes of each row. The draw goes by md5('seed:accession') over all that could be
--         taken, those in the warehouse included, so that a second run adds nothing.
with
agreed as (
    select
        s.*,
        row_number() over (partition by s.accession order by s.file, s.row) as place_of_accession
    from protein_sound as s
    anti join protein_conflicts as x on s.file = x.file and s.row = x.row
),

drawn as (
    select
        file,
        row,
        row_number() over (order by md5($seed || ':' || accession), accession) as place
    from agreed
    where place_of_accession = 1 and ($max_length is null or length <= $max_length)
)

select
    c.file,
    c.row,
    case
        when a.file is null then 'bad'
        when a.place_of_accession > 1 then 'repeated'
        when d.file is null then 'too long'
        when d.place > $sample then 'not drawn'
        when w.accession is not null then 'present'
        else 'new'
    end as fate
from protein_candidates as c
left join agreed as a on c.file = a.file and c.row = a.row
left join drawn as d on c.file = d.file and c.row = d.row
left join protein_known as w on c.accession = w.accession
