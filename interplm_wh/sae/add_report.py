"""What adding an SAE did, for people and programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interplm_wh.sae.load import IDENTITY

if TYPE_CHECKING:
    from interplm_wh.encode.layer_check import LayerCheck


@dataclass(frozen=True)
class AddSaeReport:
    """What `add_sae` did.

    Attributes
    ----------
    sae, plm : str
        Names in the warehouse.
    layer, d_model, n_features : int
    architecture : str
    k : int or None
        Active features per residue, where the architecture fixes it.
    format : str or None
        Format that the file was recognised as; None for `identity`.
    kind : str
        The architecture as the format calls it.
    notes : tuple of str
        What was folded into the weights, left out or assumed.
    has_scale : bool
        Whether the checkpoint carries a scale.
    check : LayerCheck or None
        None where it was not measured: for `identity`, and in a warehouse without proteins.
    is_forced : bool
        Whether the layer check was overridden.
    is_new : bool
        False where the same SAE was there already.
    """

    sae: str
    plm: str
    layer: int
    d_model: int
    n_features: int
    architecture: str
    k: int | None
    format: str | None
    kind: str
    notes: tuple[str, ...]
    has_scale: bool
    check: LayerCheck | None
    is_forced: bool
    is_new: bool

    def lines(self) -> list[str]:
        """Describe it for people."""
        if not self.is_new:
            return [f"{self.sae} is there already, with the same weights; nothing was changed"]
        shape = f"{self.architecture}, {self.d_model:,} -> {self.n_features:,}"
        scale = "the checkpoint's" if self.has_scale else "taken at the first build"
        said = [f"{self.sae}: {shape}, for layer {self.layer} of {self.plm}; scale: {scale}"]
        if self.format is not None:
            active = f", k {self.k:,}" if self.k is not None else ""
            said.append(f"recognised: {self.format} ({self.kind}{active})")
        said += [f"  {note}" for note in self.notes]
        if self.check is not None:
            said += self.check.table()
        elif self.architecture != IDENTITY:
            said.append("the layer is checked at the first encode, there is no protein yet")
        if self.is_forced:
            said.append("the layer check was overridden by --force; this is recorded")
        return said
