"""ESM-2 on transformers.

Source: Lin et al., "Evolutionary-scale prediction of atomic-level protein structure with a
language model", Science 379 (2023).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from transformers.utils import logging

from interplm_wh.errors import ModelError
from interplm_wh.plm.base import Tokens
from interplm_wh.plm.capture import capture
from interplm_wh.plm.masked import MaskedPLM

_transformers: Any = transformers  # its annotations do not follow its decorators
_logging: Any = logging
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_POSITIONS_BESIDE_RESIDUES = 4
"""Of `max_position_embeddings`: padding's offset of 2, the start token and the end token."""
_HEAD = "lm_head."
_SPARE_WEIGHTS = ("contact_head.", "pooler.", "position_ids", "inv_freq")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the report of weights that are left out off standard error.

    What would matter in it, weights that are missing, is checked and raised.
    """
    verbosity = _logging.get_verbosity()
    bars = _logging.is_progress_bar_enabled()
    _logging.set_verbosity_error()
    _logging.disable_progress_bar()
    try:
        yield
    finally:
        _logging.set_verbosity(verbosity)
        if bars:
            _logging.enable_progress_bar()


def _needed(keys: Iterable[str]) -> list[str]:
    """Return the weights among `keys` that hidden states depend on."""
    return sorted(key for key in keys if not any(spare in key for spare in _SPARE_WEIGHTS))


def _load(folder: Path, dtype: str) -> tuple[Any, list[str]]:
    """Load the encoder with its masked-token head; return also the weights that the head lacks.

    Weights of the encoder that the folder lacks are an error, never random numbers.
    """
    try:
        with _quiet():
            model, info = _transformers.EsmForMaskedLM.from_pretrained(
                folder,
                dtype=DTYPES[dtype],
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are named below
            )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise ModelError(f"{folder}: the model cannot be loaded: {error}; download it again") from error
    absent = _needed(info["missing_keys"])
    misshapen = _needed(str(key[0] if isinstance(key, tuple) else key) for key in info["mismatched_keys"])
    headless = [key for key in (*absent, *misshapen) if key.startswith(_HEAD)]
    if len(headless) < len(absent) + len(misshapen):
        found = f"missing {absent[:5]}, of another shape {misshapen[:5]}"
        raise ModelError(f"{folder}: the weights do not fit config.json: {found}; download the model again")
    return model.eval(), headless


class Esm2(MaskedPLM):
    """ESM-2 from a folder as the Hugging Face hub holds it.

    Parameters
    ----------
    folder : Path
        Folder with config.json, vocab.txt and the weights.
    name, source : str
    revision : str or None
    device : torch.device
    dtype : {'float32', 'bfloat16', 'float16'}

    Raises
    ------
    ModelError
        If the folder does not hold a complete ESM-2 model.
    """

    def __init__(
        self, folder: Path, *, name: str, source: str, revision: str | None, device: torch.device, dtype: str
    ) -> None:
        whole, self._headless_weights = _load(folder, dtype)
        self.model, self._head = whole.esm.to(device), whole.lm_head.to(device)
        config = self.model.config
        self.name, self.source, self.revision = name, source, revision
        self.device, self.dtype = device, dtype
        self.n_layers, self.d_model = int(config.num_hidden_layers), int(config.hidden_size)
        self.window = int(config.max_position_embeddings) - _POSITIONS_BESIDE_RESIDUES
        if self.window < 2:
            raise ModelError(f"{folder}: config.json leaves {self.window} positions for residues; check it")
        self._read_alphabet(folder)

    def _read_alphabet(self, folder: Path) -> None:
        try:
            tokenizer = _transformers.AutoTokenizer.from_pretrained(folder)
        except (OSError, ValueError) as error:
            raise ModelError(
                f"{folder}: the vocabulary cannot be read: {error}; download it again"
            ) from error
        letters = {t: i for t, i in tokenizer.get_vocab().items() if len(t) == 1 and "A" <= t <= "Z"}
        self.alphabet = frozenset(letters)
        self._ids = torch.full((128,), tokenizer.unk_token_id)
        for letter, index in letters.items():
            self._ids[ord(letter)] = index
        self._start, self._end = tokenizer.cls_token_id, tokenizer.eos_token_id
        self._padding = tokenizer.pad_token_id
        self.mask_id = tokenizer.mask_token_id

    def tokenise(self, sequences: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return token ids and attention mask, both int64 [n_sequences, longest + 2]."""
        longest = max(len(sequence) for sequence in sequences)
        ids = torch.full((len(sequences), longest + 2), self._padding)  # [B, T]
        for row, sequence in zip(ids, sequences, strict=True):
            letters = torch.frombuffer(bytearray(sequence, "ascii"), dtype=torch.uint8)
            row[0] = self._start
            row[1 : len(sequence) + 1] = self._ids[letters.long()]
            row[len(sequence) + 1] = self._end
        ids = ids.to(self.device)
        return ids, (ids != self._padding).long()

    @torch.inference_mode()
    def forward(self, sequences: Sequence[str], layers: Sequence[int]) -> dict[int, Tensor]:
        """Run one batch; see `PLM.forward`."""
        ids, mask = self.tokenise(sequences)

        def run() -> Tensor:
            last: Tensor = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
            return last

        found = capture(self.model.encoder.layer, layers, run=run)
        return {layer: state[:, 1:-1] for layer, state in found.items()}  # [B, T, d]

    def require_head(self) -> None:
        """Refuse a folder that was saved without its masked-token head; see `PLM.require_head`."""
        if self._headless_weights:
            raise ModelError(
                f"{self.source}: the masked-token head is missing from the weights "
                f"({', '.join(self._headless_weights[:3])} …); use --skip-fidelity, or the model as published"
            )

    def tokens(self, sequences: Sequence[str]) -> Tokens:
        """Return the tokens of a batch; see `PLM.tokens`."""
        ids, mask = self.tokenise(sequences)
        is_residue = (mask == 1) & (ids != self._start) & (ids != self._end)
        return Tokens(ids, is_residue, mask == 0)

    def logits(self, ids: Tensor, tokens: Tokens) -> Tensor:
        """Run the model and its head; see `MaskedPLM.logits`."""
        mask = (~tokens.is_padding).long()
        found: Tensor = self._head(self.model(input_ids=ids, attention_mask=mask).last_hidden_state)
        return found

    def stack(self) -> tuple[Sequence[nn.Module], nn.Module]:
        """Return the transformer layers and the norm behind them."""
        return self.model.encoder.layer, self.model.encoder.emb_layer_norm_after
