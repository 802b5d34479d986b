"""SAEs as a warehouse keeps them: ``saes/NAME/sae.safetensors`` and ``sae.yaml``."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from interplm_wh.errors import CheckError, ModelError
from interplm_wh.hub import file_sha256
from interplm_wh.sae import registry
from interplm_wh.sae.base import SAE, Weights
from interplm_wh.sae.load import IDENTITY
from interplm_wh.sae.options import INPUT_NORMS, InputNorm

WEIGHTS_FILE, IDENTITY_FILE = "sae.safetensors", "sae.yaml"
# Beside the weights: what a build reads without knowing the architecture.
_SCALE, _NORM = "checkpoint_scale", "decoder_norm"


@dataclass(frozen=True)
class SaeIdentity:
    """Who an SAE is; the columns of `saes` of the same names.

    Attributes
    ----------
    sae, plm : str
        Names.
    layer : int
    architecture : str
    d_model, n_features : int
    k : int or None
    input_norm, role : str
    control_of : str or None
    source : str
        Hub id, absolute path, ``identity``, or ``training:NAME``.
    file : str or None
        File in the source, where one was named.
    revision : str or None
    sha256 : str
        Of the weights file.
    """

    sae: str
    plm: str
    layer: int
    architecture: str
    d_model: int
    n_features: int
    k: int | None
    input_norm: str
    role: str
    control_of: str | None
    source: str
    file: str | None
    revision: str | None
    sha256: str


@dataclass(frozen=True)
class SavedSae:
    """An SAE that was read from a warehouse, and who it is."""

    identity: SaeIdentity
    sae: SAE


def weights_bytes(sae: SAE) -> bytes:
    """Return the weights file of an SAE: the same bytes for the same weights."""
    tensors = {name: tensor.cpu().contiguous() for name, tensor in sorted(sae.tensors.items())}
    tensors[_NORM] = sae.decoder_norm.float().cpu().contiguous()
    if sae.checkpoint_scale is not None:
        tensors[_SCALE] = sae.checkpoint_scale.cpu().contiguous()
    content: bytes = save(tensors)
    return content


def identify(
    sae: SAE,
    *,
    name: str,
    plm: str,
    layer: int,
    source: str,
    file: str | None = None,
    role: str | None = None,
    control_of: str | None = None,
) -> SaeIdentity:
    """Return who an SAE is under a name of the warehouse.

    Parameters
    ----------
    source : str
        Hub id, absolute path, ``identity``, or ``training:NAME``.
    file : str, optional
        File in the source, where one was named.
    role : str, optional
        By default neurons for an identity, sae for others.
    control_of : str, optional
    """
    return SaeIdentity(
        sae=name,
        plm=plm,
        layer=layer,
        architecture=sae.architecture,
        d_model=sae.d_model,
        n_features=sae.n_features,
        k=sae.k,
        input_norm=sae.input_norm,
        role=role or ("neurons" if sae.architecture == IDENTITY else "sae"),
        control_of=control_of,
        source=source,
        file=file,
        revision=sae.revision,
        sha256=hashlib.sha256(weights_bytes(sae)).hexdigest(),
    )


def save_sae(
    folder: Path, sae: SAE, *, identity: SaeIdentity, beside: Mapping[str, bytes] | None = None
) -> None:
    """Write an SAE to ``saes/NAME``, which appears whole or not at all.

    Whatever stood there is replaced: the caller knows that no catalogue names it. `beside` are more
    files of the folder, by name.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
    fresh.mkdir()
    try:
        _write_synced(fresh / WEIGHTS_FILE, weights_bytes(sae))
        text = yaml.safe_dump(asdict(identity), sort_keys=False, allow_unicode=True)
        _write_synced(fresh / IDENTITY_FILE, text.encode())
        for name, content in (beside or {}).items():
            _write_synced(fresh / name, content)
        if folder.exists():
            shutil.rmtree(folder)
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def load_saved(folder: Path) -> SavedSae:
    """Read an SAE from ``saes/NAME``.

    Raises
    ------
    ModelError
        If a file is absent or malformed.
    CheckError
        If the weights are not the ones that were saved.
    """
    identity = _read_identity(folder / IDENTITY_FILE)
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        raise ModelError(f"{path}: is missing; remove the SAE and add it again")
    if file_sha256(path) != identity.sha256:
        raise CheckError(
            f"{path}: the weights have changed since they were added (sha256 differs); "
            "remove the SAE and add it again"
        )
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); remove the SAE and add it again") from error
    scale = tensors.pop(_SCALE, None)
    tensors.pop(_NORM, None)
    weights = Weights(
        identity.architecture,
        identity.d_model,
        identity.n_features,
        tensors,
        input_norm=_input_norm(identity.input_norm, folder),
        k=identity.k,
        checkpoint_scale=scale,
    )
    return SavedSae(identity, registry.make(weights, revision=identity.revision))


def _input_norm(name: str, folder: Path) -> InputNorm:
    for norm in INPUT_NORMS:
        if norm == name:
            return norm
    known = ", ".join(INPUT_NORMS)
    raise ModelError(
        f"{folder / IDENTITY_FILE}: the input normalisation {name!r} is not known (known: {known}); "
        "update interplm-wh, or add the SAE again"
    )


def _read_identity(path: Path) -> SaeIdentity:
    try:
        raw: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); remove the SAE and add it again") from error
    wanted = {field.name for field in fields(SaeIdentity)}
    if not isinstance(raw, dict) or set(raw) != wanted:
        found = sorted(raw) if isinstance(raw, dict) else raw
        raise ModelError(f"{path}: expected the keys {sorted(wanted)}, found {found}; add the SAE again")
    return SaeIdentity(**raw)
