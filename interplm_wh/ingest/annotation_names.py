"""The formats of annotations, by the names that `--format` takes; nothing heavy is loaded for them."""

from __future__ import annotations

from typing import Literal, get_args

AnnotationFormat = Literal[
    "uniprot", "table", "gff3", "bed", "interpro", "pfam-scan", "domtblout", "pfam-regions",
    "secondary-structure", "scores",
]  # fmt: skip
ANNOTATION_FORMATS: tuple[AnnotationFormat, ...] = get_args(AnnotationFormat)
