"""Take SAEs, proteins and sources of annotations out of a warehouse."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from interplm_wh import build, names, progress, schema, store
from interplm_wh.build import derived
from interplm_wh.encode.keep import FAILURES, Plan, write_plan
from interplm_wh.encode.waiting import place_of
from interplm_wh.errors import CheckError, InputError, NotThereError, faults_message
from interplm_wh.interpret.keep import forget_proteins
from interplm_wh.landscape.stale import PAIRS, match_source
from interplm_wh.quote import quote_literal
from interplm_wh.steer.keep import forget
from interplm_wh.store import Transaction, layout, parts
from interplm_wh.store.rows import first_row
from interplm_wh.variants.stale import OF_PROTEINS as OF_VARIANTS

# What a scale was taken from stays its source when proteins go: it is fixed until it is replaced. What was
# measured stays what it was; its fingerprint says of which proteins. Runs of `steer` go with their proteins.
_KEPT_PER_SAE = frozenset(
    {
        "activations",
        "encoding_failures",
        "encoding_plans",
        "encodings",
        "feature_map",
        "features",
        "interpretation_predictions",
        "interpretation_prompts",
        "interpretation_verdicts",
        "interpretations",
        "sae_frequency",
        "sae_metrics",
        "sampled_pairs",
        "steering_controls",
        "steering_effects",
        "steering_features",
        "steering_probabilities",
        "steering_runs",
        "steering_samples",
        "suggestion_trials",
        "training_metrics",
        *OF_VARIANTS,
    }
)


_OF_PROTEINS = ["annotations", "coverage", "proteins", "structure_residues", "structures"]
_REWRITTEN = ["activations", "encodings", FAILURES, *_OF_PROTEINS, *OF_VARIANTS]


@dataclass(frozen=True)
class RemoveReport:
    """What was removed, as one sentence."""

    text: str

    def lines(self) -> list[str]:
        """Print it for people."""
        return [self.text]


def _known(tx: Transaction, table: str, name: str) -> None:
    column = "sae" if table == "saes" else "source"
    known = [row[0] for row in tx.con.table(table).project(column).fetchall()]
    if name not in known:
        nearest = names.nearest(name, known)
        there = f"there are {', '.join(known)}" if known else "there is none"
        hint = f"; did you mean {nearest}?" if nearest else f"; {there}"
        raise NotThereError(f"there is no {column} {name!r} in {tx.root}{hint}")


def remove_sae(warehouse: str | Path, name: str) -> RemoveReport:
    """Remove an SAE with its weights, activations and tables.

    Raises
    ------
    NotThereError
        If there is no such SAE.
    """
    with store.write(warehouse, command="remove sae", settings={"sae": name}) as tx:
        _known(tx, "saes", name)
        for table in schema.tables().values():
            if table.storage == "sae":
                tx.drop(table.name, sae=name)
        tx.drop(PAIRS, source=match_source(name))
        tx.con.execute("delete from saes where sae = ?", [name])
        left = tx.con.execute(
            "update saes set control_of = null where control_of = ? returning sae", [name]
        ).fetchall()
        gone = tx.con.execute(
            "delete from plms where plm not in (select plm from saes where plm is not null) returning plm"
        ).fetchall()
        tx.publish()
        shutil.rmtree(tx.root / layout.SAES / name, ignore_errors=True)
        shutil.rmtree(place_of(tx.root, name), ignore_errors=True)
        for (plm,) in gone:  # a shuffled copy, which is the same again when it is asked for
            shutil.rmtree(tx.root / layout.PLMS / plm, ignore_errors=True)
    said = f"removed the SAE {name}; its space is freed by: interplm-wh vacuum (a day from now)"
    if left:
        again = "; ".join(f"interplm-wh remove sae {control}" for (control,) in sorted(left))
        said += f"; its controls stay, and go with: {again}"
    return RemoveReport(said)


def remove_source(warehouse: str | Path, name: str) -> RemoveReport:
    """Remove a source of annotations with its concepts.

    Raises
    ------
    NotThereError
        If there is no such source.
    """
    with store.write(warehouse, command="remove source", settings={"source": name}) as tx:
        _known(tx, "sources", name)
        for table in ("annotations", "coverage", "rejects"):
            tx.drop(table, source=name)
        tx.con.execute("delete from concepts where source = ?", [name])
        tx.con.execute("delete from sources where source = ?", [name])
        build.run(tx)
        derived.take_out_outdated(tx)
        tx.publish()
    return RemoveReport(f"removed the source {name} and built again what counted it")


def remove_proteins(warehouse: str | Path, accessions: Sequence[str]) -> RemoveReport:
    """Remove proteins with their annotations, activations and structures, and build again what counted them.

    The proteins that stay are numbered anew, so that `protein_id` stays dense.

    Raises
    ------
    NotThereError
        If an accession is not in the warehouse.
    InputError
        If no protein would be left.
    CheckError
        If a file that has to be written anew is damaged.
    """
    with store.write(warehouse, command="remove proteins", settings={"accessions": list(accessions)}) as tx:
        _require_sound(tx)
        _number_anew(tx, accessions)
        forget(tx, accessions)
        saes = [
            sae for (sae,) in tx.con.execute("select distinct sae from encodings order by sae").fetchall()
        ]
        for sae in saes:
            _rewrite_activations(tx, sae)
            forget_proteins(tx, sae, accessions)
        for name in (*_OF_PROTEINS, *OF_VARIANTS, FAILURES):
            _rewrite(tx, name)
        _shorten_plans(tx)
        for table in schema.tables().values():
            if table.storage == "sae" and table.name not in _KEPT_PER_SAE:
                tx.drop(table.name)
        build.run(tx)
        derived.take_out_outdated(tx)
        tx.publish()
    return RemoveReport(f"removed {len(set(accessions)):,} proteins and built again what counted them")


def _require_sound(tx: Transaction) -> None:
    """Refuse to write damaged files anew: what they lack would be gone, and nothing would show it."""
    rows = tx.con.sql(
        "from parts where list_contains($tables, table_name) order by path", params={"tables": _REWRITTEN}
    )
    recorded = rows.to_arrow_table().to_pylist()
    with progress.track("comparing files with their checksums", total=len(recorded), unit="files") as bar:
        faults = [fault for of in parts.misplaced(tx.con, tx.locate).values() for fault in of.extra]
        for part in recorded:
            faults += parts.faults(tx.root / part["path"], part)
            bar.advance(1)
    if faults:
        raise CheckError(
            faults_message(str(tx.root), faults, "nothing was removed; what to do says: interplm-wh verify")
        )


def _number_anew(tx: Transaction, accessions: Sequence[str]) -> None:
    tx.con.execute(
        "create temp table unwanted as select unnest($names::varchar[]) as accession", {"names": accessions}
    )
    missing = tx.con.execute(
        "select accession from unwanted anti join proteins using (accession) order by all"
    )
    if faults := [f"there is no protein {name}" for (name,) in missing.fetchall()]:
        raise NotThereError(faults_message(str(tx.root), faults, "nothing was removed; correct the names"))
    tx.con.execute(
        "create temp table numbering as select protein_id, "
        "(row_number() over (order by protein_id) - 1)::integer as new_id "
        "from proteins anti join unwanted using (accession)"
    )
    if first_row(tx.con, "from numbering limit 1") is None:
        raise InputError("no protein would be left; make a new warehouse with init instead")


def _shorten_plans(tx: Transaction) -> None:
    """Let plans of encodings mean the proteins that are left of those they meant."""
    left = tx.con.execute(
        "select l.sae, l.like_sae, count(n.protein_id) from encoding_plans as l "
        "left join numbering as n on n.protein_id < l.n_proteins group by l.sae, l.like_sae order by l.sae"
    ).fetchall()
    for sae, like, n_proteins in left:
        write_plan(tx, sae, Plan(like, n_proteins))


def _rewrite(tx: Transaction, name: str) -> None:
    """Write the folders of a table anew, without the unwanted proteins, source by source."""
    folders = tx.con.execute(
        "select folder, sae, source, fingerprint from folders where is_current and table_name = ? "
        "order by rank",
        [name],
    ).fetchall()
    table = schema.table(name)
    tx.drop(name)
    for old, sae, source, fingerprint in folders:
        folder = tx.new_folder(name, sae=sae)
        path = tx.write_query(folder, _renumbered(layout.view_select(table, [tx.root / old])))
        if sae is None or pq.read_metadata(path).num_rows:  # of an SAE: of one protein, which may be gone
            tx.append(folder, source=source, fingerprint=fingerprint)


def _renumbered(select: str) -> str:
    kept = f"({select}) as t join numbering as n using (protein_id)"
    return f"select t.* replace (n.new_id as protein_id) from {kept}"  # noqa: S608


def _rewrite_activations(tx: Transaction, sae: str) -> None:
    """Write the activations of one SAE anew, file by file, and its encodings."""
    table = schema.table("activations")
    names_of_files = ", ".join(c.name for c in table.file_columns)
    moved: list[tuple[str, str]] = []
    folders = tx.folder_paths("activations", sae=sae)
    encodings = layout.view_select(schema.table("encodings"), tx.folder_paths("encodings", sae=sae))
    tx.drop("activations", sae=sae)
    for old in folders:
        folder = tx.new_folder("activations", sae=sae)
        for file in sorted(old.glob("*.parquet")):
            read = f"read_parquet({quote_literal(str(file))}, hive_partitioning = false)"
            rows = f"select {names_of_files} from {read}"  # noqa: S608
            tx.write_query(folder, _renumbered(rows), name=file.name)
            moved.append((str(file.relative_to(tx.root)), f"{tx.staging.final_name(folder)}/{file.name}"))
        tx.append(folder)
    tx.con.execute("create or replace temp table moved (part varchar, new_part varchar)")
    tx.con.executemany("insert into moved values (?, ?)", moved)
    folder = tx.new_folder("encodings", sae=sae)
    tx.write_query(
        folder,
        f"select t.* replace (m.new_part as part) from ({_renumbered(encodings)}) as t "  # noqa: S608
        "join moved as m using (part)",
    )
    tx.replace("encodings", [folder], sae=sae)
