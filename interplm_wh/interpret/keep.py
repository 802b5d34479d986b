"""Keep words, predictions, their scores, and prompts in the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from interplm_wh import __version__, schema, sqlfile
from interplm_wh.interpret.examples import Choice, Examples
from interplm_wh.interpret.session import Outcome
from interplm_wh.quote import quote_identifier
from interplm_wh.store import Transaction
from interplm_wh.store.rows import dictionaries

WORDS, PREDICTIONS, PROMPTS = "interpretations", "interpretation_predictions", "interpretation_prompts"
_FRESH = "fresh_rows"


def register(
    tx: Transaction, choice: Choice, source: str, outcomes: Sequence[Outcome],
    examples: Mapping[int, Examples],
) -> None:  # fmt: skip
    """Put words and predictions in the place of those that the source had on these features.

    Where there are no words now, earlier ones stay.

    Parameters
    ----------
    examples : mapping of int to Examples
        By feature.
    """
    kept = _with_words(tx, choice.sae, source)
    new = [o for o in outcomes if o.words is not None or o.feature not in kept]
    predictions = [row for o in new for row in _predictions(choice.sae, source, o, examples[o.feature])]
    _merge(tx, PREDICTIONS, choice.sae, predictions, of=[o.feature for o in new], source=source)
    scores = _scores(tx, choice, source)
    scales = dict(zip(choice.features, choice.max_activations, strict=True))
    rows = [
        _words(choice.sae, source, o, examples[o.feature], scores.get(o.feature, {}))
        | {"max_activation": scales[o.feature]}
        for o in new
    ]
    _merge(tx, WORDS, choice.sae, rows, of=[o.feature for o in new], source=source)


def _with_words(tx: Transaction, sae: str, source: str) -> set[int]:
    rows = tx.con.execute(
        "select feature from interpretations where sae = ? and source = ? and status <> 'failed'",
        [sae, source],
    )
    return {feature for (feature,) in rows.fetchall()}


def _predictions(sae: str, source: str, outcome: Outcome, of: Examples) -> list[dict[str, Any]]:
    predicted = outcome.predictions or {}
    return [
        {
            "sae": sae, "feature": of.feature, "source": source, "accession": one.accession,
            "is_shown": one.is_shown, "kind": one.kind, "actual": one.activation,
            "predicted": None if one.is_shown else predicted.get(one.accession),
        }
        for one in (*of.shown, *of.scored)
    ]  # fmt: skip


def _scores(tx: Transaction, choice: Choice, source: str) -> dict[int, dict[str, Any]]:
    file = sqlfile.load("interpret", "prediction_scores")
    values = {"sae": choice.sae, "presence": choice.presence}
    rows = dictionaries(tx.con, file.sql, file.bind(values))
    return {row["feature"]: row for row in rows if row["source"] == source}


def _words(sae: str, source: str, outcome: Outcome, of: Examples, score: Mapping[str, Any]) -> dict[str, Any]:
    words = outcome.words
    status = "failed" if words is None else "scored" if score else "unscored"
    return {
        "sae": sae, "feature": of.feature, "source": source, "status": status, "reason": outcome.reason,
        "summary": words.summary if words else None, "description": words.description if words else None,
        "sha256": outcome.sha256, "n_shown": len(of.shown), "n_scored": score.get("n_scored", 0),
        "n_active": score.get("n_active", 0), "pearson_r": score.get("pearson_r"),
        "balanced_accuracy": score.get("balanced_accuracy"), "created": now(),
        "package_version": __version__,
    }  # fmt: skip


def prompts(tx: Transaction, rows: Sequence[Mapping[str, Any]], *, sae: str, used: Sequence[str]) -> None:
    """Keep prompts with their answers, under the SAE that they were asked for.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of `interpretation_prompts`, maybe of several SAEs.
    sae : str
    used : sequence of str
        Checksums of prompts whose answers were used for it; some may have been asked for another one.
    """
    known = {name for (name,) in tx.con.execute("select sae from saes").fetchall()}
    fresh = {(row["sae"], row["sha256"]): dict(row) for row in rows if row["sae"] in known}
    others = dictionaries(
        tx.con,
        f"select $sae as sae, * exclude sae from {PROMPTS} where list_contains($used, sha256) "  # noqa: S608
        "qualify row_number() over (partition by sha256 order by sae) = 1",
        {"sae": sae, "used": list(used)},
    )
    wanted = set(used)
    for row in [*others, *({**r, "sae": sae} for r in rows if r["sha256"] in wanted)]:
        fresh.setdefault((sae, row["sha256"]), row)
    for name in sorted({of for of, _ in fresh}):
        its = [row for (of, _), row in fresh.items() if of == name]
        _merge(tx, PROMPTS, name, its)


def add_verdict(tx: Transaction, row: Mapping[str, Any]) -> None:
    """Add what a person says; earlier verdicts stay."""
    _merge(tx, "interpretation_verdicts", row["sae"], [row])


def forget_proteins(tx: Transaction, sae: str, accessions: Sequence[str]) -> None:
    """Take proteins out of predictions, and prompts that hold their sequences; words and scores stay."""
    kept = {
        PREDICTIONS: "not list_contains($gone, accession)",
        PROMPTS: "not list_has_any(json(accessions)::varchar[], $gone)",
    }
    for name, condition in kept.items():
        if not tx.folder_paths(name, sae=sae):
            continue
        folder = tx.new_folder(name, sae=sae)
        tx.write_query(
            folder,
            f"select * exclude sae from {name} where sae = $sae and {condition}",  # noqa: S608
            {"sae": sae, "gone": list(accessions)},
        )
        tx.replace(name, [folder], sae=sae)


def _merge(
    tx: Transaction, name: str, sae: str, rows: Sequence[Mapping[str, Any]], *,
    of: Sequence[int] | None = None, source: str = "",
) -> None:  # fmt: skip
    """Write a table of an SAE anew: its rows, and new ones in the place of those with the same key.

    Parameters
    ----------
    of : sequence of int, optional
        Features of which all rows of `source` go.
    """
    table = schema.table(name)
    arrow = pa.Table.from_pylist(
        [{c.name: row[c.name] for c in table.file_columns} for row in rows], schema=table.arrow
    )
    keys = [quote_identifier(key) for key in table.grain if key != "sae"]
    same = " and ".join(f"n.{key} = o.{key}" for key in keys)
    folder = tx.new_folder(name, sae=sae)
    gone = "o.source = $source and list_contains($features, o.feature)" if of is not None else "false"
    values = {"sae": sae} | ({"features": list(of), "source": source} if of is not None else {})
    tx.con.register(_FRESH, arrow)
    tx.write_query(
        folder,
        f"select * from {_FRESH} union all by name select o.* exclude sae from {quote_identifier(name)} as o "  # noqa: S608
        f"where o.sae = $sae and not ({gone}) and not exists (select 1 from {_FRESH} as n where {same})",
        values,
    )
    tx.con.unregister(_FRESH)
    tx.replace(name, [folder], sae=sae)


def now() -> datetime:
    """Return the time, UTC."""
    return datetime.now(UTC).replace(tzinfo=None)
