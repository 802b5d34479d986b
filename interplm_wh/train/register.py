"""Put trained SAEs into the warehouse: weights, card, layer check and metrics, all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import yaml

from interplm_wh import __version__, names, store
from interplm_wh.encode import layer_check
from interplm_wh.encode.models import sae_folder
from interplm_wh.errors import InputError
from interplm_wh.sae import registry
from interplm_wh.sae.add import insert
from interplm_wh.sae.saved import SaeIdentity, identify, save_sae
from interplm_wh.schema import table as schema_table
from interplm_wh.store import Transaction, Warehouse
from interplm_wh.train import card
from interplm_wh.train.plan import TrainingPlan
from interplm_wh.train.recipe import OPTIONAL, REQUIRED, SaeRecipe

if TYPE_CHECKING:
    from interplm_wh.plm.base import PLM
    from interplm_wh.sae.base import SAE
    from interplm_wh.train.checkpoint import Checkpoint
    from interplm_wh.train.sources import Sequences
    from interplm_wh.train.trainer import SaeTrainer

METRICS = "training_metrics"
_SHOWN = ("variance_explained", "l0", "pct_dead", "loss", "error", "penalty", "auxiliary")


def are_there(warehouse: Warehouse, plan: TrainingPlan, plm: PLM, sequences: Sequences) -> bool:
    """Whether all SAEs of a plan are registered, made of the same model and proteins by the same recipe.

    Raises
    ------
    InputError
        If some of the names are taken by something else, or only some SAEs of the training are there.
    """
    known = warehouse.sql("select sae from saes")["sae"].to_pylist()
    taken = [recipe.name for recipe in plan.saes if recipe.name in known]
    other = [
        f"{recipe.name} ({why})"
        for recipe in plan.saes
        if recipe.name in known and (why := _differs(warehouse.path, plan, recipe, plm, sequences))
    ]
    if other:
        raise InputError(
            f"training {plan.name}: SAEs of another origin have these names: {', '.join(other)}; choose "
            "other names, or remove them first: interplm-wh remove sae NAME"
        )
    if 0 < len(taken) < len(plan.saes):
        raise InputError(
            f"training {plan.name}: of its SAEs only {', '.join(taken)} are there; take those out of the "
            "plan, or remove them to train all again: interplm-wh remove sae NAME"
        )
    for recipe in plan.saes:
        names.check_sae_name(recipe.name, known)
    return bool(taken)


def _differs(root: Path, plan: TrainingPlan, recipe: SaeRecipe, plm: PLM, sequences: Sequences) -> str | None:
    """Say in what a registered SAE is not the one that the plan would make; None where it is."""
    path = sae_folder(root, recipe.name) / card.CARD
    if not path.is_file():
        return "not trained here"
    known: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    mine = yaml.safe_load(yaml.safe_dump(_origin(recipe, plan, plm, sequences)))
    other = [key for key, value in mine.items() if not isinstance(known, dict) or known.get(key) != value]
    return f"another {', '.join(other)}" if other else None


def _origin(recipe: SaeRecipe, plan: TrainingPlan, plm: PLM, sequences: Sequences) -> dict[str, Any]:
    """Return the part of a card that says what an SAE was made of, and how."""
    return {
        "plm": plm.name,
        "plm_revision": plm.revision,
        "plm_dtype": plm.dtype,
        "data": {
            "splits": list(plan.splits),
            "files": [Path(file).name for file in plan.files],
            "max_length": plan.max_length,
            "n_proteins": len(sequences.lengths),
            "n_residues": int(sequences.lengths.sum()),
            "sequences_sha256": sequences.fingerprint,
        },
        "training": _training(plan),
        "recipe": _recipe(recipe),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value


def _recipe(recipe: SaeRecipe) -> dict[str, Any]:
    found: dict[str, Any] = _plain(asdict(recipe))
    mine = registry.ARCHITECTURES[recipe.architecture].settings or ()
    foreign = {"name", *(key for key in (*REQUIRED, *OPTIONAL) if key not in mine)}
    return {key: value for key, value in found.items() if key not in foreign}


def _training(plan: TrainingPlan) -> dict[str, Any]:
    keys = ("steps", "batch", "source", "buffer", "seed", "precision")
    return {"training": plan.name, **{key: getattr(plan, key) for key in keys}}


def check_proteins(warehouse: Warehouse, plm: PLM, sequences: Sequences) -> list[str]:
    """Return the proteins on which finished SAEs are measured on every layer.

    Those of the warehouse as for any SAE, or where it has none those of the training.

    Raises
    ------
    InputError
        If the PLM does not know a letter of theirs.
    """
    rows = warehouse.sql(layer_check.PROTEINS_SQL).to_pylist()
    plm.check_letters({row["accession"]: row["sequence"] for row in rows})
    return [row["sequence"] for row in rows] or sequences.take(range(min(64, len(sequences.lengths))))


def register(
    root: Path,
    plan: TrainingPlan,
    plm: PLM,
    sequences: Sequences,
    trainers: Sequence[SaeTrainer],
    checkpoint: Checkpoint,
    *,
    checked_on: Sequence[str],
    control_of: str | None = None,
) -> None:
    """Register the SAEs of a finished training; each is measured on all layers, none is refused.

    Parameters
    ----------
    checked_on : sequence of str
        What `check_proteins` returned.
    control_of : str, optional
        As in `train`.

    Raises
    ------
    InputError
        If an SAE was registered under one of the names meanwhile; the training's checkpoints stay.
    """
    saes = [registry.make(trainer.finished()) for trainer in trainers]
    checks = _checks(plan, plm, saes, checked_on)
    with store.write(root, command="train", settings=plan.settings()) as tx:
        known = [name for (name,) in tx.con.table("saes").project("sae").fetchall()]
        if taken := [recipe.name for recipe in plan.saes if recipe.name in known]:
            raise InputError(
                f"training {plan.name}: {', '.join(taken)} came into the warehouse while it ran; remove that "
                "(interplm-wh remove sae NAME) and run the same command again, the training is kept"
            )
        for recipe, sae, check in zip(plan.saes, saes, checks, strict=True):
            names.check_sae_name(recipe.name, known)
            identity = identify(
                sae,
                name=recipe.name,
                plm=plm.name,
                layer=recipe.layer,
                source=f"training:{plan.name}",
                role=None if control_of is None else "shuffled",
                control_of=control_of,
            )
            rows = [row for row in checkpoint.metrics if row["sae"] == recipe.name]
            page = card.files(_card(identity, recipe, plan, plm, sequences, rows))
            folder = sae_folder(tx.root, recipe.name)
            save_sae(folder, sae, identity=identity, beside=page)
            layer_check.save_check(folder, check)
            insert(tx, identity, plm, is_forced=False)
            _write_metrics(tx, recipe.name, rows)
        tx.publish()


def _checks(
    plan: TrainingPlan, plm: PLM, saes: Sequence[SAE], texts: Sequence[str]
) -> list[layer_check.LayerCheck]:
    found = []
    for recipe, sae in zip(plan.saes, saes, strict=True):
        check = layer_check.check_layer(plm, sae.to(plm.device), layer=recipe.layer, sequences=texts)
        check.warn(recipe.name)
        found.append(check)
    return found


def _card(
    identity: SaeIdentity,
    recipe: SaeRecipe,
    plan: TrainingPlan,
    plm: PLM,
    sequences: Sequences,
    rows: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    last = rows[-1] if rows else {}
    return {
        "sae": identity.sae,
        "plm_source": plm.source,
        "d_model": identity.d_model,
        "sha256": identity.sha256,
        "package_version": __version__,
        **_origin(recipe, plan, plm, sequences),
        "result": {key: last[key] for key in _SHOWN if key in last},
    }


def _write_metrics(tx: Transaction, sae: str, rows: Sequence[dict[str, Any]]) -> None:
    columns = [column.name for column in schema_table(METRICS).columns]
    table = pa.table({name: [row[name] for row in rows] for name in columns})
    folder = tx.new_folder(METRICS, sae=sae)
    tx.con.register("trained_rows", table)
    tx.write_query(folder, "from trained_rows")
    tx.con.unregister("trained_rows")
    tx.append(folder)
