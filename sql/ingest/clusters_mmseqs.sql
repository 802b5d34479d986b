-- output: cluster_members
-- grain:  row
-- inputs: cluster_lines
-- params: none
-- what:   Lines of MMseqs2's cluster.tsv: the representative, which names the cluster, and a member.
select
    row,
    regexp_replace(trim(split_part(line, chr(9), 2)), '^(?:sp|tr)\|([^|]+)\|.*$', '\1') as member,
    trim(split_part(line, chr(9), 1)) as cluster
from cluster_lines
