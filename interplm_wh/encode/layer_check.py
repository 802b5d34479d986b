"""Is this the right layer? An SAE multiplies with any layer of the right width; only one it explains."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from interplm_wh.encode.explained import Sums
from interplm_wh.errors import MismatchError
from interplm_wh.store import files

if TYPE_CHECKING:
    from interplm_wh.plm.base import PLM
    from interplm_wh.sae.base import SAE

log = logging.getLogger(__name__)

ENOUGH = 0.5
"""Variance explained below which a right layer is still doubtful."""
CHECK_FILE = "layer_check.yaml"
_CALL_RESIDUES = 2048
PROTEINS_SQL = "select accession, sequence from proteins order by md5(accession), accession limit 64"


@dataclass(frozen=True)
class LayerCheck:
    """Variance explained by one SAE on every hidden state of a PLM.

    Attributes
    ----------
    layer : int
        The layer that the SAE is said to be for.
    explained : tuple of float
        1 - residual / variance per hidden state, 0 to n_layers; below 0 where the reconstruction is
        worse than the mean; -inf where there is no variance to explain.
    n_proteins, n_residues : int
        What it was measured on.
    """

    layer: int
    explained: tuple[float, ...]
    n_proteins: int
    n_residues: int

    @property
    def best(self) -> int:
        """The layer that is explained best; the declared one where it is as good."""
        top = max(self.explained)
        return self.layer if self.explained[self.layer] == top else self.explained.index(top)

    @property
    def is_right(self) -> bool:
        """Whether the declared layer is the best one."""
        return self.best == self.layer

    @property
    def is_doubtful(self) -> bool:
        """Whether even the declared layer is explained badly."""
        return not self.explained[self.layer] >= ENOUGH

    def table(self) -> list[str]:
        """Return one line per layer."""
        marks = {self.layer: "  <- declared", self.best: "  <- best"}
        if self.is_right:
            marks[self.layer] = "  <- declared, best"
        head = [f"variance explained on {self.n_proteins} proteins ({self.n_residues:,} residues):"]
        return head + [f"  layer {i:>2}  {e:9.4f}{marks.get(i, '')}" for i, e in enumerate(self.explained)]

    def require(self, name: str, *, is_added: bool = False) -> None:
        """Refuse an SAE that explains another layer better.

        Parameters
        ----------
        is_added : bool
            Whether the warehouse has it already, so that it has to be removed first.

        Raises
        ------
        MismatchError
            With the table.
        """
        if not self.is_right:
            again = f"remove it (interplm-wh remove sae {name}), then add it" if is_added else "add it"
            raise MismatchError(
                "\n".join(
                    [
                        f"{name}: declared for layer {self.layer}, but it explains layer {self.best} best",
                        *self.table(),
                        f"{again} with --layer {self.best}, or with the PLM that it was trained on; "
                        "or with --force, to take it as it is",
                    ]
                )
            )

    def warn(self, name: str) -> None:
        """Warn where even the declared layer is explained badly."""
        if self.is_doubtful:
            explained = self.explained[self.layer]
            log.warning("%s: explains only %.2f of the variance of layer %d", name, explained, self.layer)


def _calls(sequences: Sequence[str]) -> Iterator[list[str]]:
    """Group sequences so that the hidden states of all layers fit into memory."""
    group: list[str] = []
    for text in sequences:
        if group and sum(map(len, group)) + len(text) > _CALL_RESIDUES:
            yield group
            group = []
        group.append(text)
    if group:
        yield group


def check_layer(plm: PLM, sae: SAE, *, layer: int, sequences: Sequence[str]) -> LayerCheck:
    """Measure the variance that an SAE explains on every layer of a PLM.

    Parameters
    ----------
    plm : PLM
    sae : SAE
    layer : int
        The declared layer.
    sequences : sequence of str
        At least one; of a protein beyond the window, its first window is measured.

    Raises
    ------
    MismatchError
        If the reconstruction of the declared layer is not finite.
    """
    layers = range(plm.n_layers + 1)
    sums = [Sums() for _ in layers]
    texts = [text[: plm.window] for text in sequences]
    for group in _calls(texts):
        states = plm.hidden_states(group, list(layers)).states
        for index in layers:
            reconstruction = sae.reconstruct(states[index])
            if index == layer and not bool(reconstruction.isfinite().all()):
                raise MismatchError(
                    f"the SAE's reconstruction of layer {layer} of {plm.name} is not finite: its weights are "
                    "too large for float32; look at how they were scaled"
                )
            sums[index].add(states[index], reconstruction)
    return LayerCheck(layer, tuple(s.explained for s in sums), len(texts), sum(map(len, texts)))


def save_check(folder: Path, check: LayerCheck) -> None:
    """Keep the result beside the weights, so that it is measured once."""
    content = {
        "layer": check.layer,
        "n_proteins": check.n_proteins,
        "n_residues": check.n_residues,
        "variance_explained": dict(enumerate(check.explained)),
    }
    files.write_whole(folder / CHECK_FILE, yaml.safe_dump(content, sort_keys=False).encode())


def is_checked(folder: Path) -> bool:
    """Whether a result is kept beside the weights."""
    return (folder / CHECK_FILE).is_file()
