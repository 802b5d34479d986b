"""One token per residue: letters to token ids by a table that the model's own tokeniser confirms."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import torch
import transformers

from interplm_wh.errors import ModelError
from interplm_wh.plm.base import Tokens
from interplm_wh.plm.weights import quiet

_transformers: Any = transformers  # its annotations do not follow its decorators
WORD_MARK = "▁"
"""What sentencepiece writes for the space in front of a word."""
_DAMAGED = (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError)
"""What the libraries raise of a damaged file; tokenizers raises Exception itself."""


@dataclass(frozen=True)
class TokenTable:
    """Token ids of a model that reads one token per residue.

    Attributes
    ----------
    letters : mapping of str to int
        Id per upper-case letter.
    padding : int
    start, end : int or None
        What stands in front of the first residue and behind the last; None where nothing does.
    mask : int or None
        None where the model has no such token.
    """

    letters: Mapping[str, int]
    padding: int
    start: int | None
    end: int | None
    mask: int | None = None

    @property
    def n_before(self) -> int:
        """Tokens in front of the first residue."""
        return int(self.start is not None)

    @property
    def n_special(self) -> int:
        """Tokens around the residues."""
        return self.n_before + int(self.end is not None)

    def frame(self, ids: Sequence[int]) -> list[int]:
        """Put the special tokens around the ids of residues."""
        before = [] if self.start is None else [self.start]
        return [*before, *ids, *([] if self.end is None else [self.end])]

    def lay_out(self, sequences: Sequence[str]) -> Tokens:
        """Return the tokens of a batch of sequences whose letters are known, padded at the end."""
        by_code = torch.full((128,), -1)
        for letter, index in self.letters.items():
            by_code[ord(letter)] = index
        shape = (len(sequences), max(len(sequence) for sequence in sequences) + self.n_special)
        ids = torch.full(shape, self.padding)  # [B, T]
        is_residue = torch.zeros(shape, dtype=torch.bool)
        is_padding = torch.ones(shape, dtype=torch.bool)
        if self.start is not None:
            ids[:, 0] = self.start
        for i, sequence in enumerate(sequences):
            residues = slice(self.n_before, self.n_before + len(sequence))
            codes = torch.frombuffer(bytearray(sequence, "ascii"), dtype=torch.uint8)
            ids[i, residues] = by_code[codes.long()]
            if self.end is not None:
                ids[i, residues.stop] = self.end
            is_residue[i, residues] = True
            is_padding[i, : len(sequence) + self.n_special] = False
        return Tokens(ids, is_residue, is_padding)


@contextmanager
def reading_vocabulary(where: Path, *, files: Collection[str] = ()) -> Iterator[None]:
    """Turn what transformers, tokenizers and sentencepiece raise of a damaged vocabulary into ModelError.

    `files` are those of a folder that the tokeniser may need; they are named where they are absent.
    """
    try:
        with quiet():
            yield
    except Exception as error:
        if type(error) is not Exception and not isinstance(error, _DAMAGED):
            raise
        if absent := [name for name in files if not (where / name).is_file()]:
            raise ModelError(f"{where}: there is no {', '.join(absent)}; download the model again") from error
        raise ModelError(f"{where}: the vocabulary cannot be read: {error}; download it again") from error


def letters_of(vocabulary: Mapping[str, int], mark: str = "") -> dict[str, int]:
    """Return the ids of upper-case letters, each written with `mark` in front."""
    return {letter: vocabulary[mark + letter] for letter in ascii_uppercase if mark + letter in vocabulary}


def probe(letters: Mapping[str, int]) -> str:
    """Return a sequence in which every letter stands beside every other, in both orders."""
    return "".join(a + b for a in letters for b in letters)


def require_one_token_per_letter(
    where: Path, vocabulary: Mapping[str, int], *, expected: Sequence[int], found: Sequence[int]
) -> None:
    """Refuse a vocabulary in which residues and tokens are not the same.

    Parameters
    ----------
    where : Path
        The model's folder, for the message.
    vocabulary : mapping of str to int
    expected : sequence of int
        Tokens of a probe by the table.
    found : sequence of int
        Tokens of the same probe by the model's own tokeniser.

    Raises
    ------
    ModelError
    """
    words = [token for token in vocabulary if len(token.lstrip(WORD_MARK)) > 1 and _is_word(token)]
    if words:
        raise ModelError(
            f"{where}: the vocabulary has tokens of several letters ({', '.join(sorted(words)[:5])} …), so "
            "that tokens are not residues; give a protein language model with one token per residue"
        )
    if not expected or list(found) != list(expected):
        names = {index: token for token, index in vocabulary.items()}
        pairs = zip_longest(expected, found)
        at = next((i for i, (mine, own) in enumerate(pairs) if mine != own), 0)
        raise ModelError(
            f"{where}: the model's own tokeniser reads a probe of all letters otherwise than letter by "
            f"letter: token {at + 1} is {_named(names, found, at)}, not {_named(names, expected, at)}; "
            "download the vocabulary again, or give another model"
        )


def _is_word(token: str) -> bool:
    text = token.lstrip(WORD_MARK)
    return text.isascii() and text.isalpha()


def _named(names: Mapping[int, str], ids: Sequence[int], at: int) -> str:
    return repr(names.get(ids[at], str(ids[at]))) if at < len(ids) else "absent"


def read_tokens(folder: Path, *, separator: str = "", files: Collection[str] = ()) -> TokenTable:
    """Read the table of a folder whose tokeniser transformers knows, and have the tokeniser confirm it.

    Parameters
    ----------
    folder : Path
    separator : str
        What the tokeniser wants between letters.
    files : collection of str
        Files that the tokeniser may need.

    Raises
    ------
    ModelError
        If the vocabulary cannot be read, or residues are not tokens in it.
    """
    with reading_vocabulary(folder, files=files):
        tokenizer = _transformers.AutoTokenizer.from_pretrained(folder)
    if tokenizer.pad_token_id is None:
        raise ModelError(f"{folder}: the vocabulary has no padding token; download it again")
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    table = TokenTable(
        letters=letters_of(vocabulary),
        padding=tokenizer.pad_token_id,
        start=tokenizer.cls_token_id,
        end=tokenizer.sep_token_id if tokenizer.eos_token_id is None else tokenizer.eos_token_id,
        mask=tokenizer.mask_token_id,
    )
    text = probe(table.letters)
    with quiet():  # it would warn of the probe's length
        found = tokenizer(separator.join(text))["input_ids"]
    expected = table.frame([table.letters[letter] for letter in text])
    require_one_token_per_letter(folder, vocabulary, expected=expected, found=found)
    return table
