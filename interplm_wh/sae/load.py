"""Loading an SAE from the hub, a folder, a file, or a warehouse."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from interplm_wh import hub
from interplm_wh.errors import ModelError

if TYPE_CHECKING:
    from interplm_wh.sae.base import SAE

log = logging.getLogger(__name__)

IDENTITY = "identity"
OWN_FORMAT = "interplm-wh"


@dataclass(frozen=True)
class LoadedSae:
    """An SAE, and what was made of the file that it came from.

    Attributes
    ----------
    sae : SAE
    format : str or None
        Name of the format; None for `identity`.
    kind : str
        The architecture as the format calls it.
    notes, assumed : tuple of str
        What was folded or left out, and what the file does not say.
    """

    sae: SAE
    format: str | None = None
    kind: str = ""
    notes: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()


def find_sae(
    source: str, *, layer: int | None = None, file: str | None = None, revision: str | None = None
) -> hub.Fetched:
    """Find the file or saved folder of an SAE, downloading it where the source is a hub id.

    Raises
    ------
    ModelError
        If there is none, or more than one and neither layer nor file says which.
    """
    with hub.extra_needed():
        from interplm_wh.sae.source import check_name, choose, companions, local_files
    if file is not None:
        check_name(file)
    if not hub.is_local(source):
        files = hub.list_files(source, revision=revision)
        name = choose(files, source=source, layer=layer, file=file)
        return hub.fetch_files(source, [*companions(files, name), name], revision=revision)
    path = Path(source).expanduser().resolve()
    if not path.exists():
        raise ModelError(f"{source}: there is no such file or folder; give a file, a folder, or a hub id")
    if path.is_dir() and not (path / "sae.yaml").is_file():
        path = path / choose(local_files(path), source=str(path), layer=layer, file=file)
    return hub.Fetched(path, None)


def is_cached(source: str, *, layer: int, file: str | None, revision: str | None) -> bool:
    """Whether an SAE of the hub is in its cache; asks nobody."""
    with hub.extra_needed():
        from interplm_wh.sae.source import choose
    try:
        choose(hub.cached_files(source, revision=revision), source=source, layer=layer, file=file)
    except ModelError:
        return False
    return True


def read_sae(
    source: str,
    *,
    layer: int | None = None,
    file: str | None = None,
    revision: str | None = None,
    k: int | None = None,
    d_model: int | None = None,
) -> LoadedSae:
    """Load a sparse autoencoder, and say what was made of its file; see `load_sae`."""
    with hub.extra_needed():
        from interplm_wh.sae import formats, registry
        from interplm_wh.sae.checkpoint import read_tensors
        from interplm_wh.sae.identity import IdentitySAE
        from interplm_wh.sae.saved import load_saved
    if source == IDENTITY:
        _refuse_k(source, k)
        if d_model is None:
            raise ModelError("identity: give d_model, the width of the PLM")
        return LoadedSae(IdentitySAE.of_width(d_model))
    found = find_sae(source, layer=layer, file=file, revision=revision)
    if found.path.is_dir():
        _refuse_k(source, k)
        sae = load_saved(found.path).sae
        return LoadedSae(sae, OWN_FORMAT, sae.architecture)
    read = formats.read(read_tensors(found.path), found.path, k=k)
    for assumption in read.assumed:
        log.warning("%s: %s", found.path.name, assumption)
    sae = registry.make(read.weights, revision=found.revision)
    return LoadedSae(sae, read.format, read.kind, read.notes, read.assumed)


def _refuse_k(source: str, k: int | None) -> None:
    if k is not None:
        raise ModelError(f"{source}: k is for files that do not say it; leave it out")


def load_sae(
    source: str,
    *,
    layer: int | None = None,
    file: str | None = None,
    revision: str | None = None,
    k: int | None = None,
    d_model: int | None = None,
) -> SAE:
    """Load a sparse autoencoder.

    Parameters
    ----------
    source : str
        Hub id such as ``Elana/InterPLM-esm2-8m``; a folder or file in one of the formats of
        docs/saes.md; ``saes/NAME`` of a warehouse; or ``identity``, the raw neurons as features.
    layer : int, optional
        The hidden state, which picks one of several files that are named for layers.
    file : str, optional
        File or folder in the repository or folder, for instance ``ae_unnormalized.pt``.
    revision : str, optional
        Branch, tag or commit on the hub.
    k : int, optional
        Active features per residue, for a format that does not store it (InterProt).
    d_model : int, optional
        Width of the PLM, needed for ``identity`` alone.

    Raises
    ------
    ModelError
        If it cannot be found or read, is no SAE that is supported, or carries more than weights.
    """
    return read_sae(source, layer=layer, file=file, revision=revision, k=k, d_model=d_model).sae
