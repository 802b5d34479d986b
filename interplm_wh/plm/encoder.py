"""What models on transformers share: tokens from a table, hidden states and predictions by hooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from interplm_wh.errors import ModelError
from interplm_wh.plm.base import PLM, Tokens
from interplm_wh.plm.capture import capture
from interplm_wh.plm.masked import MaskedPLM
from interplm_wh.plm.tokens import TokenTable
from interplm_wh.plm.weights import Checkpoint


class Encoder(PLM):
    """A PLM on transformers that reads one token per residue: a new one brings its constructor.

    Hidden state i is what transformer layer i reads; the last one comes after the final norm.

    Attributes
    ----------
    title : str
        Name of the family, for messages.
    model : Module
        Called with ``input_ids`` and ``attention_mask``; answers with ``last_hidden_state``.
    blocks : sequence of Module
        Its transformer layers in the order in which they run.
    table : TokenTable

    Parameters
    ----------
    checkpoint : Checkpoint
    model, blocks, table
        As the attributes.
    window : int
        Residues that one pass can hold.

    Raises
    ------
    ModelError
        If the window holds fewer than two residues, or the table has ids that the model does not.
    """

    title: ClassVar[str]

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        model: Any,
        blocks: Sequence[nn.Module],
        table: TokenTable,
        window: int,
    ) -> None:
        self.name, self.source, self.revision = checkpoint.name, checkpoint.source, checkpoint.revision
        self.device, self.dtype = checkpoint.device, checkpoint.dtype
        self.model, self.blocks, self.table = model, blocks, table
        self.n_layers, self.d_model, self.window = len(blocks), int(model.config.hidden_size), window
        self.alphabet = frozenset(table.letters)
        if window < 2:
            raise ModelError(
                f"{checkpoint.folder}: config.json leaves {window} positions for residues; check it"
            )
        largest = max([*table.letters.values(), *table.frame([table.padding])])
        if largest >= (known := int(model.config.vocab_size)):
            raise ModelError(
                f"{checkpoint.folder}: the vocabulary has token {largest}, the model knows {known}; "
                "download the vocabulary again"
            )

    def lay_out(self, sequences: Sequence[str]) -> Tokens:
        """Return the tokens of a batch, on the device of the model."""
        tokens = self.table.lay_out(sequences)
        return Tokens(*(part.to(self.device) for part in (tokens.ids, tokens.is_residue, tokens.is_padding)))

    def last_state(self, ids: Tensor, tokens: Tokens) -> Tensor:
        """Run the whole model on `ids`, int64 [B, T]; return the last hidden state, [B, T, d_model]."""
        attention = (~tokens.is_padding).long()
        last: Tensor = self.model(input_ids=ids, attention_mask=attention).last_hidden_state
        return last

    @torch.inference_mode()
    def forward(self, sequences: Sequence[str], layers: Sequence[int]) -> dict[int, Tensor]:
        """Run one batch; see `PLM.forward`."""
        tokens = self.lay_out(sequences)
        found = capture(self.blocks, layers, run=lambda: self.last_state(tokens.ids, tokens))
        first = self.table.n_before
        stop = first + max(len(sequence) for sequence in sequences)
        return {layer: state[:, first:stop] for layer, state in found.items()}  # [B, longest, d]


class HeadedEncoder(Encoder, MaskedPLM):
    """An encoder with a masked-token head.

    Parameters
    ----------
    checkpoint, model, blocks, table, window
        As `Encoder`.
    norm : Module
        The norm behind the layers; its output is the last hidden state.
    head : Module
        Makes logits, [B, T, V], from the last hidden state.
    headless : sequence of str
        Weights of the head that the folder lacks.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        model: Any,
        blocks: Sequence[nn.Module],
        table: TokenTable,
        window: int,
        norm: nn.Module,
        head: nn.Module,
        headless: Sequence[str],
    ) -> None:
        super().__init__(checkpoint, model=model, blocks=blocks, table=table, window=window)
        if table.mask is None:
            raise ModelError(f"{checkpoint.folder}: the vocabulary has no mask token; download it again")
        self.mask_id = table.mask
        self._norm, self._head, self._headless_weights = norm, head, headless

    def require_head(self) -> None:
        """Refuse a folder that was saved without its masked-token head; see `PLM.require_head`."""
        if self._headless_weights:
            raise ModelError(
                f"{self.source}: the masked-token head is missing from the weights "
                f"({', '.join(self._headless_weights[:3])} …); give the model as published (evaluate goes "
                "without: --skip-fidelity)"
            )

    def tokens(self, sequences: Sequence[str]) -> Tokens:
        """Return the tokens of a batch; see `PLM.tokens`."""
        return self.lay_out(sequences)

    def logits(self, ids: Tensor, tokens: Tokens) -> Tensor:
        """Run the model and its head; see `MaskedPLM.logits`."""
        found: Tensor = self._head(self.last_state(ids, tokens))
        return found

    def stack(self) -> tuple[Sequence[nn.Module], nn.Module]:
        """Return the transformer layers and the norm behind them."""
        return self.blocks, self._norm
