"""Warehouses with proteins, and files of annotations, for the tests of annotations."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from interplm_wh import store

FEATURE_COLUMNS = {
    "Active site": "ACT_SITE",
    "Beta strand": "STRAND",
    "Binding site": "BINDING",
    "Coiled coil": "COILED",
    "Compositional bias": "COMPBIAS",
    "Disulfide bond": "DISULFID",
    "Domain [FT]": "DOMAIN",
    "Glycosylation": "CARBOHYD",
    "Helix": "HELIX",
    "Lipidation": "LIPID",
    "Modified residue": "MOD_RES",
    "Motif": "MOTIF",
    "Region": "REGION",
    "Signal peptide": "SIGNAL",
    "Transit peptide": "TRANSIT",
    "Turn": "TURN",
    "Zinc finger": "ZN_FING",
}


def put_proteins(warehouse: Path, sequences: Mapping[str, str]) -> Path:
    """Add proteins by what the store alone offers."""
    with store.write(warehouse, command="add proteins") as tx:
        ((first,),) = tx.con.execute("select count(*) from proteins").fetchall()
        rows = pa.table(
            {
                "protein_id": range(first, first + len(sequences)),
                "accession": list(sequences),
                "sequence": list(sequences.values()),
            }
        )
        tx.con.register("given", rows)
        folder = tx.new_folder("proteins")
        tx.write_query(
            folder,
            "select *, null as name, null as organism, null as reviewed, length(sequence) as length, "
            "'valid' as split, null as cluster, false as is_private, protein_id as sample_key, null as note "
            "from given",
        )
        tx.append(folder)
        tx.con.unregister("given")
        tx.publish()
    return warehouse


def read_export(path: Path) -> list[dict[str, str]]:
    """Read an export with Python alone: one dictionary per line."""
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as handle:
        lines = handle.read().rstrip("\n").split("\n")
    header = lines[0].split("\t")
    return [dict(zip(header, line.split("\t"), strict=True)) for line in lines[1:]]


def write_export(path: Path, entries: Sequence[Mapping[str, str]]) -> Path:
    """Write an export with the columns that the entries name."""
    header = list(dict.fromkeys(column for entry in entries for column in entry))
    lines = ["\t".join(header), *("\t".join(entry.get(c, "") for c in header) for entry in entries)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write a CSV with the columns that the rows name."""
    header = list(dict.fromkeys(column for row in rows for column in row))
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, header)
        writer.writeheader()
        writer.writerows(rows)
    return path


def ask(warehouse: Path, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Run one query on the published warehouse."""
    with store.open(warehouse) as wh:
        return wh.con.execute(sql, params).fetchall()


def spans(warehouse: Path) -> list[tuple[str, str, int, int]]:
    """Return (accession, concept, start, stop) of every annotation, sorted."""
    return ask(
        warehouse,
        "select p.accession, c.concept, a.start, a.stop from annotations as a "
        "inner join concepts as c on a.concept_id = c.concept_id "
        "inner join proteins as p on a.protein_id = p.protein_id order by all",
    )


def rejects(warehouse: Path) -> list[tuple[str | None, str]]:
    """Return (accession, reason) of every reject, sorted."""
    return ask(warehouse, "select accession, reason from rejects order by all")
