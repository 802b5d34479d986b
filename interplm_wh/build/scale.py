"""The scale of an SAE: one number per feature, fixed once, replaced only on demand (see `rescale`)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from interplm_wh.build import blocks, marts, plan
from interplm_wh.build.engine import Engine
from interplm_wh.build.make import finish, parameters
from interplm_wh.controls.kinds import RULES
from interplm_wh.errors import CheckError, InputError, NotThereError
from interplm_wh.progress import Bar
from interplm_wh.store import Transaction, files, layout
from interplm_wh.store.rows import first_row, value

TABLE = "features"
ScaleSource = Literal["all", "valid", "checkpoint", "fasta"]
Float32 = npt.NDArray[np.float32]


def lay_sae_features(tx: Transaction, sae: str, *, scale: Float32 | None = None) -> bool:
    """Lay the relation `sae_features`: what the weights say of each feature.

    Parameters
    ----------
    scale : float32 [n_features], optional
        Taken for the checkpoint's scale.

    Returns
    -------
    bool
        Whether there is a checkpoint scale.

    Raises
    ------
    NotThereError
        If there is no such SAE.
    CheckError
        If its weights are not the ones that were added.
    """
    tensors, _ = weights_of(tx, sae)
    n_features = value(tx.con, "select n_features from saes where sae = ?", [sae])
    if _is_rule(tx, sae):
        scale = np.ones(n_features, np.float32)
    decoder_norm = tensors.get("decoder_norm")
    scale = tensors.get("checkpoint_scale") if scale is None else scale
    columns = {
        "sae": pa.array([sae] * n_features, pa.string()),
        "feature": pa.array(np.arange(n_features, dtype=np.int32)),
        "decoder_norm": pa.nulls(n_features, pa.float32())
        if decoder_norm is None
        else pa.array(decoder_norm),
        "checkpoint_max": pa.nulls(n_features, pa.float32()) if scale is None else pa.array(scale),
    }
    tx.con.register("given_features", pa.table(columns))
    tx.con.execute("create or replace temp table sae_features as from given_features")
    tx.con.unregister("given_features")
    return scale is not None


def _is_rule(tx: Transaction, sae: str) -> bool:
    """Whether an SAE is a control whose features are 0 or 1, made from residues."""
    return value(tx.con, "select max(architecture) from saes where sae = ?", [sae]) in RULES


def weights_of(tx: Transaction, sae: str) -> tuple[dict[str, Float32], str]:
    """Return the tensors of an SAE and their checksum; none and '' where it was made elsewhere.

    Raises
    ------
    NotThereError
        If there is no such SAE.
    CheckError
        If its weights are not the ones that were added.
    """
    row = first_row(tx.con, "select sha256 from saes where sae = ?", [sae])
    if row is None:
        raise NotThereError(f"there is no SAE {sae}; see: interplm-wh info")
    path = layout.weights(tx.root, sae)
    if not path.exists():
        return {}, ""
    if files.sha256(path) != row[0]:
        raise CheckError(
            f"{path}: the weights have changed since they were added (sha256 differs); restore the file from "
            "a copy, or remove the SAE and add it again"
        )
    from safetensors.numpy import load_file

    tensors: dict[str, Float32] = load_file(path)
    return tensors, str(row[0])


def fix(
    tx: Transaction,
    mart: marts.Mart,
    sae: str,
    *,
    source: ScaleSource | None = None,
    given: Float32 | None = None,
    n_given: int = 0,
    label: str | None = None,
    engine: Engine,
    bar: Bar,
) -> plan.Step:
    """Fix the scale of an SAE that has none yet, or any SAE where `source` is given.

    Parameters
    ----------
    source : {'all', 'valid', 'checkpoint', 'fasta'}, optional
        None: the checkpoint's own scale if it has one, otherwise all encoded proteins.
    given : float32 [n_features], optional
        The scale itself, for 'fasta', taken over `n_given` proteins.
    label : str, optional
        What `saes.scale_source` says; `source` by default.
    """
    is_rule = _is_rule(tx, sae)
    if is_rule and source not in (None, "checkpoint"):
        raise InputError(f"{sae} is a control whose features are 0 or 1: its scale is 1 and stays so")
    if source is None and plan.folders_of(tx.con, mart.name, sae):
        _require_whole(tx, mart, sae)
        return plan.Step(mart, sae, "current", "", "", (), ())
    has_checkpoint = lay_sae_features(tx, sae, scale=given)
    if source == "checkpoint" and not has_checkpoint:
        raise InputError(f"the checkpoint of {sae} carries no scale; use: scale --sae {sae} --from all")
    if source == "valid" and not _n_proteins(tx, sae, source):
        raise InputError(
            f"no protein of the split 'valid' is encoded by {sae}, so that it has nothing to take the scale "
            f"from; use: scale --sae {sae} --from all"
        )
    source = source or ("checkpoint" if has_checkpoint else "all")
    # To the SQL a scale that is given is the same, wherever it came from.
    in_sql = "checkpoint" if source == "fasta" else source
    values = {**parameters(tx.con, sae), "scale_source": in_sql}
    everything = tuple(folder for folder, _ in plan.folders_of(tx.con, "activations", sae))
    seen = () if in_sql == "checkpoint" else everything
    step = plan.Step(mart, sae, "rebuild", plan.digest(source), "", seen, ())
    written = engine.count_blocks(tx, [step], values, bar)
    finish(tx, plan.Planner(tx.con, tx.locate), step, values, written[mart.name], engine=engine)
    blocks.focus(tx, sae, only=[mart.name])
    n_proteins = n_given if in_sql == "checkpoint" else _n_proteins(tx, sae, in_sql)
    tx.con.execute(
        "update saes set scale_source = ?, n_scale_proteins = ? where sae = ?",
        [label or ("rule" if is_rule else source), n_proteins, sae],
    )
    tx.con.execute("drop table sae_features")
    return step


def _require_whole(tx: Transaction, mart: marts.Mart, sae: str) -> None:
    """Refuse to go on without the scale: made again, it need not be the one that was fixed."""
    planner = plan.Planner(tx.con, tx.locate)
    if not all(planner.is_whole(folder) for folder, _ in plan.folders_of(tx.con, mart.name, sae)):
        raise NotThereError(
            f"the scale of {sae} is damaged or gone (see: interplm-wh verify); restore the file of "
            f"{mart.name} from a copy, or take the scale anew with: interplm-wh scale --sae {sae} --from all"
        )


def _n_proteins(tx: Transaction, sae: str, source: str) -> int:
    n_proteins: int = value(
        tx.con,
        "select count(*) from encodings as e inner join proteins as p on e.protein_id = p.protein_id "
        "where e.sae = $sae and ($source = 'all' or p.split = $source)",
        {"sae": sae, "source": source},
    )
    return n_proteins
