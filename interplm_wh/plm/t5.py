"""Encoders of T5 models of proteins, on transformers: ProtT5, Ankh and those made from them.

Sources: Elnaggar et al., "ProtTrans: toward understanding the language of life through
self-supervised learning", IEEE TPAMI 44 (2022); Elnaggar et al., "Ankh: optimized protein language
model unlocks general-purpose modelling", arXiv:2301.06568 (2023).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import transformers

from interplm_wh import hub
from interplm_wh.errors import ModelError
from interplm_wh.plm.encoder import Encoder
from interplm_wh.plm.tokens import (
    WORD_MARK,
    TokenTable,
    letters_of,
    probe,
    reading_vocabulary,
    require_one_token_per_letter,
)
from interplm_wh.plm.weights import Checkpoint, load_weights

_transformers: Any = transformers  # its annotations do not follow its decorators
WINDOW = 1024
"""Residues of one pass. Positions are relative and have no end (all distances from 128 on look the same
to the model); this keeps most proteins whole and the attention's memory, which grows with its square,
small."""
_RARE = "UZOB"
"""Letters that ProtT5 is asked with as X: it saw hardly any (its model card does the same)."""
_PREFIXES = ("<AA2fold>", "[NLU]")
"""What ProstT5 and Ankh 3 were trained to find in front of a protein."""


class T5Encoder(Encoder):
    """The encoder of a T5 model of proteins from a folder as the Hugging Face hub holds it.

    Without the decoder there is no masked-token head. An end token follows the last residue;
    nothing stands in front of the first one, save what `_PREFIXES` names where the vocabulary has it.

    Parameters
    ----------
    checkpoint : Checkpoint
        With config.json, tokenizer.json or spiece.model, and the weights; a decoder's are not loaded.

    Raises
    ------
    ModelError
        If the folder does not hold a complete encoder with one token per residue.
    """

    title = "T5 encoders (ProtT5, Ankh)"

    def __init__(self, checkpoint: Checkpoint) -> None:
        loaded = load_weights(_transformers.T5EncoderModel, checkpoint, sizes=("d_model", "num_layers"))
        super().__init__(
            checkpoint,
            model=loaded.model,
            blocks=loaded.model.encoder.block,
            table=_read_table(checkpoint.folder),
            window=WINDOW,
        )


@dataclass(frozen=True)
class _Tokeniser:
    """A vocabulary, and how its own tokeniser reads a text (without special tokens)."""

    vocabulary: Mapping[str, int]
    read: Callable[[str], list[int]]


def _read_table(folder: Path) -> TokenTable:
    """Read the letters, with the mark of a word (ProtT5) or without it (Ankh)."""
    tokeniser = _tokeniser(folder)
    vocabulary = tokeniser.vocabulary
    marked, bare = letters_of(vocabulary, WORD_MARK), letters_of(vocabulary)
    is_marked = len(marked) > len(bare)
    letters = marked if is_marked else bare
    text = probe(letters)
    found = tokeniser.read((" " if is_marked else "").join(text))
    expected = [letters[letter] for letter in text]
    if not is_marked and found == [vocabulary.get("<unk>"), *expected]:
        # The tokeniser marks the start of a text as that of a word; a vocabulary without the mark
        # reads it as an unknown token, which stands for no residue.
        found = expected
    require_one_token_per_letter(folder, vocabulary, expected=expected, found=found)
    if absent := [token for token in ("<pad>", "</s>") if token not in vocabulary]:
        raise ModelError(f"{folder}: the vocabulary lacks {' and '.join(absent)}; download it again")
    if is_marked and "X" in letters:
        letters |= dict.fromkeys(_RARE, letters["X"])
    start = next((vocabulary[prefix] for prefix in _PREFIXES if prefix in vocabulary), None)
    return TokenTable(letters, padding=vocabulary["<pad>"], start=start, end=vocabulary["</s>"])


def _tokeniser(folder: Path) -> _Tokeniser:
    """Open the tokeniser as it was published.

    Not by way of transformers, which puts a word's mark in front of every text (an unknown token in
    Ankh, so that each residue would stand one place too far) and cannot read every spiece.model.
    """
    if (folder / "tokenizer.json").is_file():
        return _from_json(folder / "tokenizer.json")
    if (folder / "spiece.model").is_file():
        return _from_sentencepiece(folder / "spiece.model")
    raise ModelError(f"{folder}: there is neither tokenizer.json nor spiece.model; download the model again")


def _from_json(path: Path) -> _Tokeniser:
    from tokenizers import Tokenizer

    with reading_vocabulary(path):
        tokenizer = Tokenizer.from_file(str(path))
    return _Tokeniser(
        tokenizer.get_vocab(with_added_tokens=True),
        lambda text: list(tokenizer.encode(text, add_special_tokens=False).ids),
    )


def _from_sentencepiece(path: Path) -> _Tokeniser:
    with hub.extra_needed():
        import sentencepiece
    with reading_vocabulary(path):
        pieces = sentencepiece.SentencePieceProcessor(model_proto=path.read_bytes())
    vocabulary = {pieces.id_to_piece(i): i for i in range(pieces.get_piece_size())}
    vocabulary |= _added_tokens(path.parent / "added_tokens.json")
    return _Tokeniser(vocabulary, lambda text: list(pieces.encode(text)))


def _added_tokens(path: Path) -> dict[str, int]:
    """Return the tokens that a model has beside those of its spiece.model."""
    if not path.is_file():
        return {}
    with reading_vocabulary(path):
        return {str(token): int(index) for token, index in json.loads(path.read_bytes()).items()}
