"""Reading hidden states out of a stack of layers and stopping at the deepest one wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn


class _DeepEnough(Exception):
    """Ends a forward pass: all that was wanted has been seen."""


def capture(
    layers: Sequence[nn.Module], wanted: Sequence[int], *, run: Callable[[], Tensor]
) -> dict[int, Tensor]:
    """Run a model and return the hidden states that were wanted.

    The input of layer i is hidden state i. The pass ends in front of the first layer that nothing
    wanted lies behind, so that an early layer costs only the layers before it.

    Parameters
    ----------
    layers : sequence of Module
        The transformer layers in the order in which they run.
    wanted : sequence of int
        Hidden states, 0 to the number of layers.
    run : callable
        Runs the whole model; returns the last hidden state, after the final norm.

    Returns
    -------
    dict of int to Tensor
    """
    found: dict[int, Tensor] = {}
    deepest = max(wanted)

    def keep(index: int) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def hook(_module: nn.Module, inputs: tuple[Any, ...]) -> None:
            found[index] = inputs[0]
            if index == deepest:
                raise _DeepEnough

        return hook

    inner = sorted({index for index in wanted if index < len(layers)})
    handles = [layers[index].register_forward_pre_hook(keep(index)) for index in inner]
    try:
        last = run()
        if deepest == len(layers):
            found[deepest] = last
    except _DeepEnough:
        pass
    finally:
        for handle in handles:
            handle.remove()
    return found
