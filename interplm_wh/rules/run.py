"""Search rules of features, and keep them in `feature_rules`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from interplm_wh import progress, schema, sqlfile, store
from interplm_wh.ask.table import number, plain_table
from interplm_wh.build import derived
from interplm_wh.rules import search
from interplm_wh.store import Transaction
from interplm_wh.suggest import choose

TABLE = "feature_rules"
_COLUMNS = {
    "concept": "concept",
    "rule": "rule",
    "valid_f1_per_domain": "F1 valid",
    "test_f1_per_domain": "F1 test",
    "single_feature": "single",
    "single_test_f1_per_domain": "F1 test",
    "gain": "gain",
    "gain_low": "from",
    "gain_high": "to",
    "n_tried": "tried",
    "is_held": "held",
}
_LISTED = (
    "from feature_rules where list_contains($saes, sae) and (len($concepts) = 0 or "
    "list_contains($concepts, concept)) order by is_held desc, gain desc, sae, concept, n_features"
)


@dataclass(frozen=True)
class RulesReport:
    """What was found.

    Attributes
    ----------
    saes : tuple of str
    rows : pa.Table
        Rows of `feature_rules`, those that hold on test first.
    made : tuple of str
        SAEs whose rules were searched now; those of the others were there already.
    seconds : float
    """

    saes: tuple[str, ...]
    rows: pa.Table
    made: tuple[str, ...]
    seconds: float

    def lines(self) -> list[str]:
        """Print them for people."""
        rows = self.rows.to_pylist()
        held = {(row["sae"], row["concept"]) for row in rows if row["is_held"]}
        concepts = {(row["sae"], row["concept"]) for row in rows}
        cells = [
            [("yes" if row["is_held"] else "no") if c == "is_held" else number(row[c]) for c in _COLUMNS]
            for row in rows
        ]
        return [
            f"{len(concepts):,} concepts have a rule that beats the best single feature on valid; for "
            f"{len(held):,} it holds on test",
            "",
            *(plain_table(list(_COLUMNS.values()), cells) if cells else ()),
            *(
                ["", "gain: F1 on test less that of the single feature, and its 95 % interval"]
                if cells
                else ()
            ),
            *self._of_few(),
            f"{', '.join(self.saes)}: {'kept in' if self.made else 'as they are in'} {TABLE}; "
            f"{self.seconds:,.1f} s",
        ]

    def _of_few(self) -> list[str]:
        """Say where there are too few clusters for an interval."""
        if None not in self.rows["gain_low"].to_pylist():
            return []
        return [
            f"no interval, so that nothing holds: fewer than {search.MIN_CLUSTERS} clusters of test have "
            "anything to count"
        ]


def rules(warehouse: str | Path, *, sae: str | None = None, concepts: Sequence[str] = ()) -> RulesReport:
    """Search rules of two and three features that beat the best single feature of a concept.

    The rules of an SAE are searched for all of its testable concepts and kept in `feature_rules`; they are
    searched anew when what they are made from has changed.

    Parameters
    ----------
    warehouse : str or Path
    sae : str, optional
        By default every SAE that is no control.
    concepts : sequence of str
        Return rules of these concepts only.

    Raises
    ------
    NotThereError
        If there is no such warehouse, SAE or concept.
    InputError
        If pairs are missing or older than the data.
    """
    started = time.monotonic()
    with store.open(warehouse) as wh:
        saes = choose.built_saes(wh, sae)
        for concept in concepts:
            choose.known_concept(wh, concept)
        behind = [name for name in saes if not derived.is_current(wh, TABLE, name)]
    if behind:
        with store.write(warehouse, command="rules", settings={"saes": behind}) as tx:
            for name in behind:
                search_all(tx, name)
            tx.publish()
    with store.open(warehouse) as wh:
        rows = wh.sql(_LISTED, {"saes": saes, "concepts": list(concepts)})
    return RulesReport(tuple(saes), rows, tuple(behind), time.monotonic() - started)


def search_all(tx: Transaction, sae: str) -> None:
    """Search the rules of one SAE in the working copy, concept by concept, which bounds the memory."""
    values = {"sae": sae, **search.BOUNDS}
    made_from = derived.recipe(tx.con, TABLE, sae)
    table = schema.table(TABLE)
    with progress.track(f"{sae}: candidates", unit="tables") as bar:
        derived.lay(tx.con, "suggest", ["known_spans"], values)
        for name in search.OF_SAE:
            derived.lay(tx.con, "rules", [name], values)
            bar.advance(1)
    found = [tx.con.sql(table.empty_select).to_arrow_table()]
    concepts = tx.con.execute("select concept_id, concept from rule_concepts order by concept").fetchall()
    file = sqlfile.load("rules", TABLE)
    with progress.track(f"{sae}: rules", total=len(concepts), unit="concepts") as bar:
        for concept_id, concept in concepts:
            of_concept = {**values, "concept_id": concept_id}
            n_tried = search.search(tx.con, of_concept)
            if tx.con.execute("from compared_rules where rule_id > 0").fetchall():
                search.weigh(tx.con, of_concept, concept)
                bound = file.bind({**of_concept, "n_tried": n_tried})
                found.append(tx.con.sql(file.sql, params=bound).to_arrow_table().cast(found[0].schema))
            bar.advance(1)
    folder = tx.new_folder(TABLE, sae=sae)
    tx.con.register("given", pa.concat_tables(found))
    tx.write_query(folder, "from given")
    tx.con.unregister("given")
    tx.replace(TABLE, [folder], sae=sae, fingerprint=made_from)
