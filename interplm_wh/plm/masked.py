"""Predicting residues with a masked-token head, with a hidden state replaced on the way."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from interplm_wh.errors import MismatchError
from interplm_wh.plm.base import PLM, Look, Patch, Predictions, Tokens


@contextmanager
def replaced(
    layers: Sequence[nn.Module], norm: nn.Module, *, layer: int, replace: Callable[[Tensor], Tensor]
) -> Iterator[None]:
    """Put something else in place of one hidden state while the context lasts.

    Parameters
    ----------
    layers : sequence of Module
        The transformer layers in the order in which they run; the input of layer i is hidden state i.
    norm : Module
        The norm behind them; its output is the last hidden state.
    layer : int
        The hidden state, 0 to the number of layers.
    replace : callable
        Gets the state [B, T, d_model] and returns what the model goes on with.
    """

    def at_input(_module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return (replace(inputs[0]), *inputs[1:])

    def at_output(_module: nn.Module, _inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        return replace(output)

    handle = (
        layers[layer].register_forward_pre_hook(at_input)
        if layer < len(layers)
        else norm.register_forward_hook(at_output)
    )
    try:
        yield
    finally:
        handle.remove()


class MaskedPLM(PLM):
    """A PLM with a masked-token head: what a new one brings are the four abstract members.

    Attributes
    ----------
    mask_id : int
        Id of the mask token.
    """

    mask_id: int

    @abstractmethod
    def require_head(self) -> None:
        """Refuse a model whose head was not in its folder; see `PLM.require_head`."""

    @abstractmethod
    def tokens(self, sequences: Sequence[str]) -> Tokens:
        """Return the tokens of a batch; see `PLM.tokens`."""

    @abstractmethod
    def logits(self, ids: Tensor, tokens: Tokens) -> Tensor:
        """Run the model and its head.

        Parameters
        ----------
        ids : Tensor
            int64 [B, T]: what the model reads, masked tokens included.
        tokens : Tokens
            The tokens before masking.

        Returns
        -------
        Tensor
            [B, T, V], in the number format of the weights.
        """

    @abstractmethod
    def stack(self) -> tuple[Sequence[nn.Module], nn.Module]:
        """Return the transformer layers and the norm behind them, for `replaced`."""

    @torch.inference_mode()
    def predict(
        self,
        sequences: Sequence[str],
        *,
        masked: Tensor | None = None,
        layer: int | None = None,
        patch: Patch | None = None,
        looks: Mapping[int, Look] = MappingProxyType({}),
    ) -> Predictions:
        """Predict the token at every position of one batch; see `PLM.predict`."""
        self.require_head()
        self._check_batch(sequences, layer=layer, patch=patch)
        tokens = self.tokens(sequences)
        ids = tokens.ids
        if masked is not None:
            if masked.shape != ids.shape:
                raise MismatchError(
                    f"masked has shape {tuple(masked.shape)}, the tokens have {tuple(ids.shape)}; "
                    "make it from PLM.tokens of the same sequences"
                )
            ids = ids.masked_fill(masked.to(ids.device), self.mask_id)
        if looks:
            self.check_layers(list(looks))
        layers, norm = self.stack()
        with ExitStack() as hooks:
            if layer is not None and patch is not None:
                hooks.enter_context(replaced(layers, norm, layer=layer, replace=_replace(patch, tokens)))
            for index, look in looks.items():  # after the patch, whose result they see
                hooks.enter_context(replaced(layers, norm, layer=index, replace=_shown(look)))
            logits = self.logits(ids, tokens)
        return Predictions(logits.float(), tokens.ids, tokens.is_residue)

    def _check_batch(self, sequences: Sequence[str], *, layer: int | None, patch: Patch | None) -> None:
        self.check_letters({f"sequence {i + 1}": s for i, s in enumerate(sequences)})
        if long := [len(s) for s in sequences if len(s) > self.window]:
            raise MismatchError(
                f"{self.name} predicts at most {self.window} residues at once, not {max(long)}; "
                "predict a window of the sequence"
            )
        if (layer is None) != (patch is None):
            raise MismatchError("a patch needs the layer that it replaces, and a layer its patch; give both")
        if layer is not None:
            self.check_layers([layer])


def _replace(patch: Patch, tokens: Tokens) -> Callable[[Tensor], Tensor]:
    """Let a patch see float32 and the model its own number format."""

    def replace(states: Tensor) -> Tensor:
        found = patch(states.float(), tokens.is_residue)
        if found.shape != states.shape:
            raise MismatchError(
                f"the patch returns shape {tuple(found.shape)} for hidden states {tuple(states.shape)}; "
                "return one state per token"
            )
        return found.to(states.dtype)

    return replace


def _shown(look: Look) -> Callable[[Tensor], Tensor]:
    """Show a state and let the model go on with it as it is."""

    def show(states: Tensor) -> Tensor:
        look(states.float())
        return states

    return show
