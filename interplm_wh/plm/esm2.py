"""ESM-2 on transformers.

Source: Lin et al., "Evolutionary-scale prediction of atomic-level protein structure with a
language model", Science 379 (2023).
"""

from __future__ import annotations

from typing import Any

import transformers

from interplm_wh.plm.encoder import HeadedEncoder
from interplm_wh.plm.tokens import read_tokens
from interplm_wh.plm.weights import Checkpoint, load_weights

_transformers: Any = transformers  # its annotations do not follow its decorators
_POSITIONS_BESIDE_RESIDUES = 4
"""Of `max_position_embeddings`: padding's offset of 2, the start token and the end token."""


class Esm2(HeadedEncoder):
    """ESM-2 from a folder as the Hugging Face hub holds it.

    Parameters
    ----------
    checkpoint : Checkpoint
        With config.json, vocab.txt and the weights.

    Raises
    ------
    ModelError
        If the folder does not hold a complete ESM-2 model.
    """

    title = "ESM-2"

    def __init__(self, checkpoint: Checkpoint) -> None:
        loaded = load_weights(
            _transformers.EsmForMaskedLM,
            checkpoint,
            sizes=("hidden_size", "num_hidden_layers"),
            spare=("contact_head.", "pooler.", "position_ids", "inv_freq"),
            head="lm_head.",
        )
        model = loaded.model.esm
        super().__init__(
            checkpoint,
            model=model,
            blocks=model.encoder.layer,
            table=read_tokens(checkpoint.folder, files=("vocab.txt",)),
            window=int(model.config.max_position_embeddings) - _POSITIONS_BESIDE_RESIDUES,
            norm=model.encoder.emb_layer_norm_after,
            head=loaded.model.lm_head,
            headless=loaded.headless,
        )
