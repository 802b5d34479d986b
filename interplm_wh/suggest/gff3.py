"""Suggestions as GFF3.

Source: the Sequence Ontology's "Generic Feature Format Version 3", 1.26 (2020).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

_SOURCE = "interplm-wh"
_TYPE = "sequence_feature"  # SO:0000110; concepts are not terms of the ontology
_SEQID = "".join(c for c in ".:^*$@!+_?-|")
"""Characters of a name of a sequence that are written as they are, besides letters and digits."""
_VALUE = " !\"#$'()*+-./:<>?@[\\]^_`{|}~"
"""Those of a value of an attribute: all but what GFF3 reserves there, and the percent sign."""
_ATTRIBUTES = (
    "sae", "feature", "threshold", "precision", "max_activation", "n_agreeing", "n_others", "n_carrying",
    "n_relatives", "rank",
)  # fmt: skip


def lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of a GFF3 file without their ends; positions are 1-based and inclusive.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of `suggestions`. The column score is theirs.
    """
    yield "##gff-version 3"
    for number, row in enumerate(rows, start=1):
        attributes = [f"ID=suggestion{number}", f"Name={_value(row['concept'])}"]
        attributes += [f"{key}={_value(_text(row[key]))}" for key in _ATTRIBUTES]
        cells = (
            quote(row["accession"], safe=_SEQID), _SOURCE, _TYPE, str(row["start"]), str(row["stop"]),
            _text(row["score"]), ".", ".", ";".join(attributes),
        )  # fmt: skip
        yield "\t".join(cells)


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _value(text: str) -> str:
    return quote(text, safe=_VALUE)
