"""Formats of published checkpoints: a new one is a file here that recognises and reads it, and a line below.

What a format's module has is `base.Format`. A file is of the format that its configuration claims, else of
the only one that its tensors fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from interplm_wh.errors import ModelError
from interplm_wh.sae.formats import biohub, dictionary_learning, interplm, interprot, saelens, sparsify
from interplm_wh.sae.formats.base import Checkpoint, Format, Place, Reading
from interplm_wh.sae.formats.config import beside, read_config
from interplm_wh.sae.formats.inspection import listed

FORMATS: tuple[Format, ...] = (interplm, interprot, dictionary_learning, saelens, sparsify, biohub)

__all__ = ["FORMATS", "Format", "Place", "Reading", "read"]


def read(tensors: Mapping[str, Tensor], where: Path, *, k: int | None = None) -> Reading:
    """Read named tensors in whichever format they are.

    Parameters
    ----------
    tensors : mapping of str to Tensor
    where : Path
        The file: named in errors; a configuration is looked for beside it, and its name may say
        whether the scale is baked in.
    k : int, optional
        Active features per residue, for a format that does not store it.

    Raises
    ------
    ModelError
        If no format has these tensors, several may have them, or they do not belong together.
    """
    configs = {path: read_config(path) for path in beside(where)}
    for path, config in configs.items():
        for reader in FORMATS:
            if reader.claims(config):
                return reader.read(Checkpoint(where, tensors, config, path, k))
    fitting = [reader for reader in FORMATS if reader.fits(tensors.keys())]
    if len(fitting) != 1:
        raise ModelError(_unrecognised(tensors, where, fitting, list(configs)))
    return fitting[0].read(Checkpoint(where, tensors, k=k))


def _unrecognised(
    tensors: Mapping[str, Tensor], where: Path, fitting: Sequence[Format], configs: Sequence[Path]
) -> str:
    held = listed([f"{name} {list(tensor.shape)}" for name, tensor in tensors.items()])
    beside_it = f"; {listed([path.name for path in configs])} beside it is of no format" if configs else ""
    if fitting:
        names = " or ".join(reader.NAME for reader in fitting)
        head = f"{where}: may be of {names}; put the configuration of its training beside it"
    else:
        head = f"{where}: not an SAE format that is supported"
    lines = [f"{head}; it holds {held}{beside_it}"]
    lines += [f"  {reader.NAME}: expected {reader.EXPECTED}" for reader in fitting or FORMATS]
    return "\n".join(lines)
