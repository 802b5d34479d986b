"""Write the annotations, rejects and coverage of one source into a transaction."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from interplm_wh import sqlfile
from interplm_wh.errors import InputError
from interplm_wh.quote import quote_identifier, quote_literal
from interplm_wh.store import Transaction

CLIPPED = "clipped: stop beyond the sequence"


def make(con: duckdb.DuckDBPyConnection, name: str, params: Mapping[str, Any] | None = None) -> None:
    """Run ``sql/ingest/<name>.sql`` into a temporary table with the name of its output."""
    file = sqlfile.load("ingest", name)
    con.execute(
        f"create or replace temp table {quote_identifier(file.output)} as {file.sql}",
        file.bind(params or {}),
    )


def scalar(con: duckdb.DuckDBPyConnection, sql: str, params: Mapping[str, Any] | None = None) -> Any:
    """Return the first value of the first row; None where there is no row."""
    rows = con.execute(sql, params or {}).fetchall()
    return rows[0][0] if rows else None


class SourceWriter:
    """Collects one source: spans and rejects slice by slice, then what it covers.

    Attributes
    ----------
    tx : Transaction
    source : str
    con : DuckDBPyConnection
        The transaction's; SQL that prepares a slice leaves its temporary tables here.
    """

    def __init__(self, tx: Transaction, source: str) -> None:
        self.tx, self.source, self.con = tx, source, tx.con
        self._folders = {name: tx.new_folder(name) for name in ("annotations", "rejects", "coverage")}
        self._n_parts = dict.fromkeys(self._folders, 0)
        self._next_annotation, self._next_instance = self._free_keys()
        self.con.execute("create or replace temp table used_concepts (concept_id integer)")

    def _free_keys(self) -> tuple[int, int]:
        """Return the lowest keys above those of all other sources."""
        rows = self.con.execute(
            "select coalesce(max(a.annotation_id), -1) + 1, coalesce(max(a.instance_id), -1) + 1 "
            "from annotations as a inner join concepts as c on a.concept_id = c.concept_id "
            "where c.source <> $source",
            {"source": self.source},
        ).fetchall()
        return int(rows[0][0]), int(rows[0][1])

    def n_before(self) -> tuple[int, int]:
        """Return the annotations that the source had before, and the proteins that it covered."""
        rows = self.con.execute(
            "select n_annotations, n_covered from sources where source = ?", [self.source]
        ).fetchall()
        return rows[0] if rows else (0, 0)

    def add_spans(self) -> None:
        """Write what stands in the temporary table `annotation_spans`."""
        self._name_concepts()
        path = self._write(
            "annotations",
            "annotations_numbered",
            {"first_annotation": self._next_annotation, "first_instance": self._next_instance},
        )
        ((annotation, instance),) = self.con.execute(
            "select max(annotation_id), max(instance_id) from read_parquet(?)", [str(path)]
        ).fetchall()
        if annotation is not None:
            self._next_annotation, self._next_instance = annotation + 1, instance + 1

    def _name_concepts(self) -> None:
        make(self.con, "annotations_concepts", {"source": self.source})
        twice = scalar(self.con, "select concept from concept_names group by concept having count(*) > 1")
        if twice is not None:
            raise InputError(
                f"{self.source}: two concepts would be called {twice}, because another source has the name "
                "of one of them; rename it in the file"
            )
        self.con.execute(
            "insert into concepts by name select concept_id, concept, category, level, $source as source "
            "from concept_names where is_new order by concept_id",
            {"source": self.source},
        )
        self.con.execute(
            "update concepts set category = n.category, level = n.level from concept_names as n "
            "where concepts.concept_id = n.concept_id and not n.is_new"
        )
        self.con.execute("insert into used_concepts select concept_id from concept_names")

    def add_rejects(self, name: str, params: Mapping[str, Any]) -> None:
        """Write the rejects that ``sql/ingest/<name>.sql`` selects."""
        self._write("rejects", name, {**params, "source": self.source})

    def _write(self, table: str, name: str, params: Mapping[str, Any]) -> Path:
        file = sqlfile.load("ingest", name)
        self._n_parts[table] += 1
        return self.tx.write_query(
            self._folders[table], file.sql, file.bind(params), name=f"part-{self._n_parts[table]:05d}.parquet"
        )

    def finish(self, *, covers: str) -> None:
        """Put the source in the place of what it was; `covered_proteins` says what it covers.

        Parameters
        ----------
        covers : str
            How the covered proteins were chosen, for `sources`.
        """
        self._write("coverage", "annotations_coverage", {"source": self.source})
        for table, folder in self._folders.items():
            self.tx.replace(table, [folder], source=self.source)
        self.con.execute(
            "delete from concepts where source = $source "
            "and concept_id not in (select concept_id from used_concepts)",
            {"source": self.source},
        )
        self.con.execute("delete from sources where source = $source", {"source": self.source})
        self.con.execute(
            "insert into sources by name select $source as source, $covers as covers, "
            "$n_annotations as n_annotations, $n_covered as n_covered, $n_rejects as n_rejects",
            {
                "source": self.source,
                "covers": covers,
                "n_annotations": self.count("annotations"),
                "n_covered": self.count("coverage"),
                "n_rejects": self.count("rejects"),
            },
        )

    def count(self, table: str) -> int:
        """Return the rows written so far for one table."""
        return int(scalar(self.con, f"select count(*) from {self._written(table)}"))  # noqa: S608

    def reasons(self) -> tuple[tuple[str, int], ...]:
        """Return why rows were rejected or clipped and how many, most frequent first."""
        rows = self.con.execute(
            f"select reason, count(*) as n from {self._written('rejects')} "  # noqa: S608
            "group by reason order by n desc, reason"
        ).fetchall()
        return tuple((str(reason), int(n)) for reason, n in rows)

    def n_distinct(self, column: str) -> int:
        """Return how many values a column of the written annotations has."""
        relation = self._written("annotations")
        return int(scalar(self.con, f"select count(distinct {quote_identifier(column)}) from {relation}"))  # noqa: S608

    def renamed(self) -> tuple[str, ...]:
        """Return the concepts of the source that are called ``source:concept``."""
        rows = self.con.execute(
            "select concept from concepts where source = $source and starts_with(concept, $source || ':') "
            "order by concept",
            {"source": self.source},
        ).fetchall()
        return tuple(concept for (concept,) in rows)

    def n_outside(self) -> int:
        """Return the annotations on proteins that the source does not cover."""
        relation = self._written("annotations")
        return int(
            scalar(
                self.con,
                f"select count(*) from {relation} as a "  # noqa: S608
                "anti join covered_proteins as c on a.protein_id = c.protein_id",
            )
        )

    def n_repeated(self) -> int:
        """Return the annotations with the protein, concept and span of another, in another instance."""
        relation = self._written("annotations")
        return int(
            scalar(
                self.con,
                "select coalesce(sum(n - 1), 0) from (select count(distinct instance_id) as n "  # noqa: S608
                f"from {relation} group by protein_id, concept_id, start, stop)",
            )
        )

    def _written(self, table: str) -> str:
        return f"read_parquet({quote_literal(str(self._folders[table] / '*.parquet'))})"
