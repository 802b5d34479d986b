"""Loading an SAE from the hub, a folder, a file, or a warehouse."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from interplm_wh import hub
from interplm_wh.errors import ModelError

if TYPE_CHECKING:
    from interplm_wh.sae.base import SAE

IDENTITY = "identity"
_NAMES = ("ae_normalized.pt", "ae.pt", "ae_unnormalized.pt")


def _in_folder(folder: Path, layer: int | None, file: str | None) -> Path:
    """Find the one file of a local folder that is meant."""
    places = [folder / f"layer_{layer}", folder] if layer is not None else [folder]
    names = (file,) if file else _NAMES
    for place in places:
        for name in names:
            if (place / name).is_file():
                return place / name
    looked = " or ".join(str(place) for place in places)
    raise ModelError(f"{looked}: holds none of {', '.join(names)}; name the file with --file")


def find_sae(
    source: str, *, layer: int | None = None, file: str | None = None, revision: str | None = None
) -> hub.Fetched:
    """Find the file or saved folder of an SAE, downloading it where the source is a hub id.

    Raises
    ------
    ModelError
        If there is none, or the source needs a layer that was not given.
    """
    if not hub.is_local(source):
        if layer is None and "/" not in (file or ""):
            raise ModelError(f"{source}: a hub repository holds one SAE per layer; give the layer")
        from interplm_wh.sae.formats.interplm import published_file

        name = file if file and "/" in file else published_file(layer or 0, file=file)
        return hub.fetch_file(source, name, revision=revision)
    path = Path(source).expanduser().resolve()
    if not path.exists():
        raise ModelError(f"{source}: there is no such file or folder; give a file, a folder, or a hub id")
    if path.is_dir() and not (path / "sae.yaml").is_file():
        path = _in_folder(path, layer, file)
    return hub.Fetched(path, None)


def load_sae(
    source: str,
    *,
    layer: int | None = None,
    file: str | None = None,
    revision: str | None = None,
    d_model: int | None = None,
) -> SAE:
    """Load a sparse autoencoder.

    Parameters
    ----------
    source : str
        Hub id such as ``Elana/InterPLM-esm2-8m``; a folder; a ``.pt`` file; ``saes/NAME`` of a
        warehouse; or ``identity``, the raw neurons as features.
    layer : int, optional
        The layer, needed for a hub id.
    file : str, optional
        File in the repository or folder, for instance ``ae_unnormalized.pt``; by default the
        normalised one.
    revision : str, optional
        Branch, tag or commit on the hub.
    d_model : int, optional
        Width of the PLM, needed for ``identity`` alone.

    Raises
    ------
    ModelError
        If it cannot be found or read, is no SAE that is supported, or carries more than weights.
    """
    with hub.extra_needed():
        from interplm_wh.sae import checkpoint, formats, registry
        from interplm_wh.sae.identity import IdentitySAE
        from interplm_wh.sae.saved import load_saved
    if source == IDENTITY:
        if d_model is None:
            raise ModelError("identity: give d_model, the width of the PLM")
        return IdentitySAE.of_width(d_model)
    found = find_sae(source, layer=layer, file=file, revision=revision)
    if found.path.is_dir():
        return load_saved(found.path).sae
    weights = formats.read(checkpoint.read_state_dict(found.path), found.path)
    return registry.make(weights, revision=found.revision)
