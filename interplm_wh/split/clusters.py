"""Read which protein is in which cluster, in the shapes that other tools write, into `cluster_members`."""

from __future__ import annotations

from pathlib import Path

import duckdb

from interplm_wh import sqlfile
from interplm_wh.errors import InputError, faults_message
from interplm_wh.ingest import readers
from interplm_wh.ingest.annotation_writer import make

MEMBERS = ("accession", "Entry", "From", "member")
CLUSTERS = (
    "cluster", "cluster_id", "Cluster ID", "UniRef50", "UniRef90", "UniRef100", "representative", "To",
)  # fmt: skip
SHAPES = (
    "MMseqs2's cluster.tsv, CD-HIT's .clstr, or a table with a column of proteins "
    f"({', '.join(MEMBERS)}) and one of clusters ({', '.join(CLUSTERS)})"
)


def read(con: duckdb.DuckDBPyConnection, path: str | Path) -> Path:
    """Read a file of clusters; returns where it is.

    Raises
    ------
    InputError
        If it cannot be read or has none of the known shapes.
    """
    head = readers.read_head(path, known=SHAPES)
    first = (head.text or "").lstrip().partition("\n")[0].rstrip("\r")
    if first.startswith(">Cluster"):
        _read_lines(con, head.as_lines, "clusters_cd_hit")
    elif len(first.split("\t")) == 2 and not _is_header(first):
        _read_lines(con, head.as_lines, "clusters_mmseqs")
    else:
        _read_table(con, readers.classify(head))
    return head.path


def read_computed(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Read what MMseqs2 found among sequences that have their md5 for a name."""
    _read_lines(con, readers.read_head(path).as_lines, "clusters_computed")


def read_stored(con: duckdb.DuckDBPyConnection) -> None:
    """Take the clusters that the warehouse has."""
    make(con, "clusters_stored")


def _is_header(line: str) -> bool:
    words = {word.strip().strip('"').casefold() for word in line.split("\t")}
    return bool(words & {name.casefold() for name in MEMBERS}) and bool(
        words & {name.casefold() for name in CLUSTERS}
    )


def _read_lines(con: duckdb.DuckDBPyConnection, file: readers.DataFile, shape: str) -> None:
    with readers.reading(con, file):
        readers.create_view(con, file, "cluster_file", required=["line"])
        con.execute(
            "create or replace temp table cluster_lines as "
            "select row, line from cluster_file where trim(line) <> ''"
        )
    make(con, shape)


def _read_table(con: duckdb.DuckDBPyConnection, file: readers.DataFile) -> None:
    members = [name for name in MEMBERS if file.has(name)]
    clusters = [name for name in CLUSTERS if file.has(name)]
    if not members or not clusters:
        columns = ", ".join(file.columns) or "none"
        raise InputError(f"{file.path} holds no clusters (its columns: {columns}); give {SHAPES}")
    if len(clusters) > 1:
        raise InputError(
            f"{file.path} has several columns of clusters ({', '.join(clusters)}); leave the one that counts"
        )
    with readers.reading(con, file):
        readers.create_view(con, file, "cluster_file", required=[members[0], clusters[0]])
        con.execute(
            "create or replace temp table cluster_rows as "
            "select row, columns(* exclude (row, is_ragged)) from cluster_file"
        )
    con.execute(f'alter table cluster_rows rename column "{members[0]}" to accession')
    con.execute(f'alter table cluster_rows rename column "{clusters[0]}" to cluster')
    make(con, "clusters_table")


def refuse_faults(con: duckdb.DuckDBPyConnection, where: str) -> None:
    """Refuse clusters of which it is not clear who belongs where.

    Raises
    ------
    InputError
        With all proteins and sequences that are in two clusters.
    """
    rows = con.execute(sqlfile.load("ingest", "clusters_faults").sql).fetchall()
    if rows:
        raise InputError(
            faults_message(where, [text for (text,) in rows], "leave each protein and sequence one cluster")
        )
