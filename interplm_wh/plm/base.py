"""What the warehouse asks of a protein language model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from interplm_wh.errors import InputError, MismatchError, ModelError, faults_message
from interplm_wh.plm import memory
from interplm_wh.plm.batches import CPU_TOKEN_BUDGET, DEVICE_TOKEN_BUDGET, Piece, batches, offsets, pieces


@dataclass(frozen=True)
class HiddenStates:
    """Hidden states of a block of sequences.

    Attributes
    ----------
    states : dict of int to Tensor
        Per layer, float32 [n_residues, d_model]: the residues of all sequences in the order given,
        without special tokens. Layer 0 is the embedding, the last one comes after the final norm.
    offsets : tuple of int
        First row of each sequence, and the number of rows at the end.
    is_halved : tuple of bool
        Whether memory ran out and a batch with the sequence was halved.
    """

    states: Mapping[int, Tensor]
    offsets: tuple[int, ...]
    is_halved: tuple[bool, ...]

    def of(self, index: int, layer: int) -> Tensor:
        """Return the hidden states of one sequence, float32 [length, d_model]."""
        return self.states[layer][self.offsets[index] : self.offsets[index + 1]]


Patch = Callable[[Tensor, Tensor], Tensor]
"""What goes in place of a hidden state: from float32 [B, T, d_model] and `is_residue`, bool [B, T], to
[B, T, d_model]. Padding is seen too."""


Look = Callable[[Tensor], None]
"""Is shown a hidden state on the way, float32 [B, T, d_model], as the model goes on with it."""


@dataclass(frozen=True)
class Tokens:
    """What a model reads of a batch of sequences; B sequences, T tokens in the longest.

    Attributes
    ----------
    ids : Tensor
        int64 [B, T].
    is_residue : Tensor
        bool [B, T]: neither special nor padding; residue i of a sequence is its i-th one.
    is_padding : Tensor
        bool [B, T]: neither a residue nor special; the model does not attend to it.
    """

    ids: Tensor
    is_residue: Tensor
    is_padding: Tensor


@dataclass(frozen=True)
class Predictions:
    """What a masked-token head says of a batch; B sequences, T tokens in the longest, V known tokens.

    Attributes
    ----------
    logits : Tensor
        float32 [B, T, V].
    ids : Tensor
        int64 [B, T]: the true tokens, before masking.
    is_residue : Tensor
        bool [B, T].
    """

    logits: Tensor
    ids: Tensor
    is_residue: Tensor


class PLM(ABC):
    """A protein language model: `forward` is all that a new one has to bring.

    One with a masked-token head is a `masked.MaskedPLM`; one on transformers an `encoder.Encoder`.

    Attributes
    ----------
    name : str
        Slug of the model's id.
    source : str
        Hub id or absolute path of the local folder.
    revision : str or None
        Commit on the hub, or ``sha256:…`` of the files of a local folder.
    n_layers, d_model, window : int
        Transformer layers; width of the hidden states; residues that one pass can hold.
    dtype : str
        Number format of the weights: float32, bfloat16 or float16.
    device : torch.device
    alphabet : frozenset of str
        Letters that the model knows.
    """

    name: str
    source: str
    revision: str | None
    n_layers: int
    d_model: int
    window: int
    dtype: str
    device: torch.device
    alphabet: frozenset[str]

    @property
    def token_budget(self) -> int:
        """Tokens of a batch that suit the device."""
        return CPU_TOKEN_BUDGET if self.device.type == "cpu" else DEVICE_TOKEN_BUDGET

    @abstractmethod
    def forward(self, sequences: Sequence[str], layers: Sequence[int]) -> dict[int, Tensor]:
        """Run one batch of sequences, none longer than `window`, up to the deepest layer asked for.

        Returns
        -------
        dict of int to Tensor
            Per layer [n_sequences, longest, d_model]: residue i of a sequence is row i; rows past
            a sequence's end hold anything.
        """

    def check_letters(self, sequences: Mapping[str, str]) -> None:
        """Refuse sequences with a letter that the model does not know.

        Parameters
        ----------
        sequences : mapping of str to str
            Sequence per accession.

        Raises
        ------
        InputError
            If there is an unknown letter or an empty sequence; all faults are in one message.
        """
        faults = [fault for name, text in sequences.items() if (fault := self._fault(name, text))]
        if faults:
            remedy = "replace the letters by X in the input, or leave these sequences out"
            raise InputError(faults_message(f"{self.name} cannot read these sequences", faults, remedy))

    def _fault(self, accession: str, sequence: str) -> str | None:
        unknown = sorted(set(sequence) - self.alphabet)
        if unknown:
            first = min(sequence.index(letter) for letter in unknown) + 1
            letters = ", ".join(repr(letter) for letter in unknown)
            return f"{accession}: unknown letter {letters} (first at position {first})"
        return None if sequence else f"{accession}: the sequence is empty"

    def check_layers(self, layers: Sequence[int]) -> None:
        """Refuse a layer that the model does not have.

        Raises
        ------
        MismatchError
        """
        wrong = [layer for layer in layers if not 0 <= layer <= self.n_layers]
        if wrong or not layers:
            raise MismatchError(
                f"{self.name} has hidden states 0 to {self.n_layers}, not {wrong or 'none'}; "
                "0 is the embedding, the last comes after the final norm"
            )

    @torch.inference_mode()
    def hidden_states(
        self, sequences: Sequence[str], layers: Sequence[int], *, token_budget: int | None = None
    ) -> HiddenStates:
        """Return hidden states of several layers for a block of sequences, in one pass.

        Batches are made of the sequences alone. A sequence longer than `window` is covered by
        overlapping windows. When memory runs out, the batch is halved and the work goes on.

        Parameters
        ----------
        sequences : sequence of str
        layers : sequence of int
            Indices of hidden states, 0 to `n_layers`.
        token_budget : int, optional
            Tokens of a batch at most; `token_budget` of the model by default.

        Raises
        ------
        InputError
            If a sequence has a letter that the model does not know.
        MismatchError
            If the model does not have a layer.
        ModelError
            If memory runs out on a single window.
        """
        self.check_layers(layers)
        self.check_letters({f"sequence {i + 1}": s for i, s in enumerate(sequences)})
        lengths = [len(sequence) for sequence in sequences]
        rows = offsets(lengths)
        states = {x: torch.empty((rows[-1], self.d_model), device=self.device) for x in sorted(set(layers))}

        def keep(batch: list[Piece]) -> None:
            found = self.forward([sequences[p.index][p.start : p.stop] for p in batch], list(states))
            for layer, kept in states.items():
                for i, p in enumerate(batch):
                    kept[p.row : p.row + p.n_kept] = found[layer][i, p.skip : p.skip + p.n_kept]

        halved = self.each_batch(pieces(lengths, self.window), keep, token_budget=token_budget)
        return HiddenStates(states, rows, tuple(index in halved for index in range(len(sequences))))

    def each_batch(
        self, found: Sequence[Piece], run: Callable[[list[Piece]], None], *, token_budget: int | None = None
    ) -> frozenset[int]:
        """Run something on batches of windows; where memory runs out, on halves of the batch.

        Parameters
        ----------
        found : sequence of Piece
            What `pieces` returns.
        run : callable
            Is called with a batch, and with parts of it once more where memory ran out on the way.
        token_budget : int, optional
            Tokens of a batch at most; `token_budget` of the model by default.

        Returns
        -------
        frozenset of int
            The sequences of batches that were halved.

        Raises
        ------
        ModelError
            If memory runs out on a single window.
        """
        halved: set[int] = set()
        waiting = batches(found, token_budget or self.token_budget)[::-1]
        while waiting:
            batch = waiting.pop()
            if _fits(batch, run):
                continue
            memory.free()
            waiting += self._halves(batch)
            halved |= {piece.index for piece in batch}
        return frozenset(halved)

    def _halves(self, batch: list[Piece]) -> tuple[list[Piece], list[Piece]]:
        """Split a batch that did not fit; the half that comes first is the second of the two."""
        middle = len(batch) // 2
        if not middle:
            raise ModelError(
                f"{self.name}: memory ran out on a single window of {batch[0].length} residues "
                f"on {self.device}; use a smaller model, a machine with more memory, or --device cpu"
            )
        return batch[middle:], batch[:middle]

    def embed(self, sequence: str, layer: int) -> Tensor:
        """Return the hidden states of one sequence.

        Returns
        -------
        Tensor
            float32 [length, d_model], one row per residue, without special tokens.

        Raises
        ------
        InputError, MismatchError
            As `hidden_states`.
        """
        return self.hidden_states([sequence], [layer]).states[layer]

    def require_head(self) -> None:
        """Refuse to predict where there is no masked-token head, before anything is computed.

        Raises
        ------
        ModelError
        """
        raise self._headless()

    def _headless(self) -> ModelError:
        return ModelError(
            f"{self.name} has no masked-token head, so that nothing says what it predicts; "
            "give a PLM with one (evaluate goes without: --skip-fidelity)"
        )

    def tokens(self, sequences: Sequence[str]) -> Tokens:
        """Return the tokens of a batch, on the device of the model, as `predict` lays them out.

        Raises
        ------
        ModelError
            If the PLM has no masked-token head.
        """
        raise self._headless()

    def predict(
        self,
        sequences: Sequence[str],
        *,
        masked: Tensor | None = None,
        layer: int | None = None,
        patch: Patch | None = None,
        looks: Mapping[int, Look] = MappingProxyType({}),
    ) -> Predictions:
        """Predict the token at every position of one batch of sequences.

        Parameters
        ----------
        sequences : sequence of str
            None longer than `window`.
        masked : Tensor, optional
            bool [B, T] as `tokens` lays them out: these are read as the mask token.
        layer : int, optional
            The hidden state that `patch` replaces, 0 to `n_layers`.
        patch : callable, optional
            Gets the hidden states, float32 [B, T, d_model], and `is_residue`, bool [B, T]; the model
            goes on with what it returns.
        looks : mapping of int to callable
            By index of a hidden state, who is shown it; that of `layer` is shown as patched.

        Raises
        ------
        ModelError
            If the PLM has no masked-token head.
        InputError
            If a sequence has a letter that the model does not know.
        MismatchError
            If a sequence is too long, the model does not have the layer, or shapes differ.
        """
        raise self._headless()


def _fits(batch: list[Piece], run: Callable[[list[Piece]], None]) -> bool:
    """Run one batch; False where memory ran out."""
    try:
        run(batch)
    except (RuntimeError, MemoryError) as error:
        if not memory.ran_out(error):
            raise
        return False
    return True
