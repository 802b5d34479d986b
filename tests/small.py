"""A small warehouse made by SQL alone: enough for tests of the store, the build and what asks it.

The activations follow from arithmetic, so that every number can be worked out by hand.
"""

from __future__ import annotations

from pathlib import Path

from interplm_wh import store
from interplm_wh.store import Transaction

N_FEATURES = 6
PROTEINS = """
select
    ($first + i)::integer as protein_id,
    'P' || lpad(($first + i)::varchar, 4, '0') as accession,
    null as name, null as organism, null as reviewed,
    repeat('ACDEFGHIKL', 3) as sequence,
    30 as length,
    case when ($first + i) % 2 = 0 then 'valid' else 'test' end as split,
    null as cluster, false as is_private,
    ($first + i)::bigint as sample_key,
    null as note
from range($n) as t (i)
"""
# Feature f fires on the residues whose position is a multiple of f + 2, with a value that grows
# with the feature and the protein.
ACTIVATIONS = """
select p.protein_id, r.position::integer as position, f.feature::integer as feature,
    ((f.feature + 1) * (1 + p.protein_id % 7) / 10.0)::float as value
from proteins as p, range(1, 31) as r (position), range(6) as f (feature)
where p.protein_id between $first and $last and r.position % (f.feature + 2) = 0
"""


def add_proteins(tx: Transaction, n: int) -> None:
    """Append proteins of 30 residues each."""
    (first,) = tx.con.execute("select count(*) from proteins").fetchall()[0]
    folder = tx.new_folder("proteins")
    tx.write_query(folder, PROTEINS, {"first": first, "n": n})
    tx.append(folder)


def add_annotations(tx: Transaction) -> None:
    """Annotate residues 1 to 10 of every protein as a domain, and every fourth residue as a site."""
    tx.con.execute("delete from concepts where source = 'mine'")
    tx.con.execute("delete from sources where source = 'mine'")
    tx.con.execute("insert into concepts values (20, 'Domain_x', 'Domain', 'domain', 'mine')")
    tx.con.execute("insert into concepts values (21, 'Site_y', 'Site', 'residue', 'mine')")
    folder = tx.new_folder("annotations")
    tx.write_query(
        folder,
        "with spans as (select protein_id, 20 as concept_id, 1 as start, 10 as stop from proteins union all "
        "select protein_id, 21, r.p, r.p from proteins, range(4, 31, 4) as r (p)) "
        "select row_number() over (order by protein_id, concept_id, start) - 1 as annotation_id, "
        "row_number() over (order by protein_id, concept_id, start) - 1 as instance_id, "
        "*, null as note, null as evidence from spans",
    )
    tx.replace("annotations", [folder], source="mine")
    folder = tx.new_folder("coverage")
    tx.write_query(folder, "select 'mine' as source, protein_id from proteins")
    tx.replace("coverage", [folder], source="mine")
    tx.con.execute(
        "insert into sources select 'mine', 'all', (select count(*) from annotations), "
        "(select count(*) from proteins), 0"
    )


def add_sae(tx: Transaction, sae: str) -> None:
    """Register an SAE with activations made elsewhere."""
    tx.con.execute(
        "insert into saes by name select $sae as sae, 'external' as architecture, $n as n_features, "
        "'none' as input_norm, 'sae' as role, 'test' as source, 0 as min_value, false as is_forced",
        {"sae": sae, "n": N_FEATURES},
    )


def add_activations(tx: Transaction, sae: str, first: int, last: int) -> None:
    """Append the activations of proteins from first to last, inclusive, as one part."""
    folder = tx.new_folder("activations", sae=sae)
    path = tx.write_query(folder, ACTIVATIONS, {"first": first, "last": last})
    tx.append(folder)
    encodings = tx.new_folder("encodings", sae=sae)
    tx.write_query(
        encodings,
        "select p.protein_id, $part as part, p.length as n_residues, "
        "(select count(*) from activations as a where a.sae = $sae and a.protein_id = p.protein_id) "
        "as n_activations, 'float32' as dtype, false as is_halved, 'test' as package_version "
        "from proteins as p where p.protein_id between $first and $last",
        {"part": f"{tx.staging.final_name(folder)}/{path.name}", "sae": sae, "first": first, "last": last},
    )
    tx.append(encodings)


def make(path: Path, *, n: int = 20, sae: str = "a") -> Path:
    """Make a warehouse with proteins, annotations and one SAE's activations, not yet built."""
    store.init(path)
    with store.write(path, command="test") as tx:
        add_proteins(tx, n)
        add_annotations(tx)
        add_sae(tx, sae)
        add_activations(tx, sae, 0, n - 1)
        tx.publish()
    return path
