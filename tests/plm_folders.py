"""Tiny ESM-C, ProtT5 and Ankh models in folders as the hub holds them, with their kinds of vocabulary."""

from __future__ import annotations

import struct
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    EsmcConfig,
    EsmcForMaskedLM,
    EsmcTokenizer,
    T5Config,
    T5EncoderModel,
    T5ForConditionalGeneration,
)

T5_LETTERS = "ALGVSREDTIPKFQNYMHWCXBOUZ"
"""Letters of ProtT5 and Ankh in the order of their ids, from 3 on."""
WIDTH = 16


def make_esmc(folder: Path, *, window: int = 60, layers: int = 3) -> Path:
    """Write a random ESM-C: one safetensors file, tokenizer.json and tokenizer_config.json."""
    torch.manual_seed(0)
    config = EsmcConfig(
        hidden_size=WIDTH,
        intermediate_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        max_position_embeddings=window + 2,
        initializer_range=0.3,
    )
    EsmcForMaskedLM(config).save_pretrained(folder)
    EsmcTokenizer().save_pretrained(folder)
    return folder


def _t5_config(*, gated: bool, vocab_size: int) -> T5Config:
    torch.manual_seed(0)
    return T5Config(
        vocab_size=vocab_size,
        d_model=WIDTH,
        d_kv=8,
        d_ff=32,
        num_layers=3,
        num_decoder_layers=1,
        num_heads=2,
        feed_forward_proj="gated-gelu" if gated else "relu",
        relative_attention_num_buckets=8,
        relative_attention_max_distance=20,
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
    )


def make_prott5(folder: Path, *, added: str = "") -> Path:
    """Write a random ProtT5 as published: the encoder in half precision, spiece.model with marked letters."""
    folder.mkdir(parents=True)
    model = T5EncoderModel(_t5_config(gated=False, vocab_size=150)).half()
    model.config.save_pretrained(folder)
    torch.save({"shared.weight": model.shared.weight, **_blocks(model)}, folder / "pytorch_model.bin")
    (folder / "spiece.model").write_bytes(sentencepiece_model([f"▁{letter}" for letter in T5_LETTERS]))
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    if added:
        (folder / "added_tokens.json").write_text(added)
    return folder


def _blocks(model: T5EncoderModel) -> dict[str, torch.Tensor]:
    return {key: value for key, value in model.state_dict().items() if "embed_tokens" not in key}


def make_ankh(folder: Path, *, prepend: str = "never", letters: str = T5_LETTERS) -> Path:
    """Write a random Ankh: with its decoder, and tokenizer.json with bare letters.

    `prepend` is the tokeniser's rule for the mark of a word.
    """
    T5ForConditionalGeneration(_t5_config(gated=True, vocab_size=144)).save_pretrained(folder)
    write_ankh_vocabulary(folder / "tokenizer.json", list(letters), prepend=prepend)
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "T5Tokenizer", "extra_ids": 100}')
    return folder


def write_ankh_vocabulary(
    path: Path, pieces: list[str], *, prepend: str = "never", lower: bool = False
) -> None:
    """Write tokenizer.json: padding 0, end 1, unknown 2, then the pieces, then 100 sentinels."""
    scores = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    scores += [(piece, -3.0 - i / 10) for i, piece in enumerate(pieces)]
    tokenizer = Tokenizer(models.Unigram(scores, unk_id=2, byte_fallback=False))
    if lower:
        tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme=prepend)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=["$A", "</s>"], special_tokens=[("</s>", 1)]
    )
    tokenizer.add_special_tokens([f"<extra_id_{i}>" for i in range(100)])
    tokenizer.save(str(path))


def sentencepiece_model(pieces: list[str]) -> bytes:
    """Write a unigram model in sentencepiece's format: padding 0, end 1, unknown 2, then the pieces.

    The library's own trainer always adds the bare mark of a word, which ProtT5 does not have.
    Fields by sentencepiece_model.proto: 1 pieces (1 text, 2 score, 3 kind), 2 trainer (3 model type,
    40-43 ids of unknown, start, end, padding), 3 normaliser (1 name, 3 whether text gets a mark in front).
    """
    found = _piece("<pad>", 0, 3) + _piece("</s>", 0, 3) + _piece("<unk>", 0, 2)
    for i, piece in enumerate(pieces):
        found += _piece(piece, -3 - i / 10, 1)
    trainer = _number(3, 1) + _number(40, 2) + _number(41, (1 << 64) - 1) + _number(42, 1) + _number(43, 0)
    return found + _bytes(2, trainer) + _bytes(3, _bytes(1, b"identity") + _number(3, 1))


def _piece(text: str, score: float, kind: int) -> bytes:
    return _bytes(
        1, _bytes(1, text.encode()) + _varint(2 << 3 | 5) + struct.pack("<f", score) + _number(3, kind)
    )


def _varint(value: int) -> bytes:
    found = b""
    while value > 127:
        found += bytes([value & 127 | 128])
        value >>= 7
    return found + bytes([value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value
