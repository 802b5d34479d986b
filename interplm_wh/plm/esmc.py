"""ESM-C ("Cambrian") on transformers.

Source: Candido et al., "Language modeling materializes a world model of protein biology", bioRxiv
2026.06.03.729735 (2026).
"""

from __future__ import annotations

from typing import Any

import transformers

from interplm_wh.plm.encoder import HeadedEncoder
from interplm_wh.plm.tokens import read_tokens
from interplm_wh.plm.weights import Checkpoint, load_weights

_transformers: Any = transformers  # its annotations do not follow its decorators


class Esmc(HeadedEncoder):
    """ESM-C from a folder as the Hugging Face hub holds it, in the layout of transformers.

    Its positions are rotary and have no end; the window is the length that config.json says it was
    made for (`max_position_embeddings`, 2,048 where it says none), less the start and end tokens.

    Parameters
    ----------
    checkpoint : Checkpoint
        With config.json and the weights; the vocabulary is the same for all of them.

    Raises
    ------
    ModelError
        If the folder does not hold a complete ESM-C model.
    """

    title = "ESM-C"

    def __init__(self, checkpoint: Checkpoint) -> None:
        loaded = load_weights(
            _transformers.EsmcForMaskedLM,
            checkpoint,
            sizes=("hidden_size", "num_hidden_layers"),  # without them it would be the one of 6 billion
            head="lm_head.",
        )
        model, table = loaded.model.esmc, read_tokens(checkpoint.folder)
        super().__init__(
            checkpoint,
            model=model,
            blocks=model.layers,
            table=table,
            window=int(model.config.max_position_embeddings) - table.n_special,
            norm=model.norm,
            head=loaded.model.lm_head,
            headless=loaded.headless,
        )
