"""Which format a file of annotations has: from its content, or the ending of its name where that decides."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from interplm_wh.errors import InputError
from interplm_wh.ingest import readers
from interplm_wh.ingest.annotation_names import AnnotationFormat

# What names the proteins in which it looked, whether or not it found something there.
LISTING: frozenset[AnnotationFormat] = frozenset({"uniprot", "secondary-structure", "scores"})
PFAM_REGIONS = ("pfama_acc", "seq_start", "seq_end")
PFAM_KEYS = ("pfamseq_acc", "uniprot_acc")

KNOWN = (
    "a UniProtKB export (TSV), a table (CSV, TSV or Parquet), GFF3, BED, InterProScan's or Pfam's hits, "
    "secondary structure under '>accession', or numbers per residue"
)

_INTEGER = re.compile(r"\d+")
_BED = re.compile(r"\.bed(\.gz)?$", re.IGNORECASE)
_MD5 = re.compile(r"[0-9a-fA-F]{32}")
_CODES = re.compile(r"[HGIEBTSPC~. \-\r\n]*")


@dataclass(frozen=True)
class AnnotationFile:
    """A file of annotations whose format is known; `data` says how it is read."""

    format: AnnotationFormat
    data: readers.DataFile


def recognise(path: str | Path, *, given: AnnotationFormat | None = None) -> AnnotationFile:
    """Find out which format a file has.

    Parameters
    ----------
    path : str or Path
    given : str, optional
        The format, where it is known.

    Raises
    ------
    InputError
        If the file cannot be read, or is of no known format or not of the one that is given.
    """
    head = readers.read_head(path, known=KNOWN)
    form = given or _format(head)
    if form in ("uniprot", "table", "scores", "pfam-regions"):
        return AnnotationFile(form, _with_header(head, form))
    if head.text is None:
        raise InputError(f"{head.path} is Parquet, which holds no {form}; give text, plain or gzip")
    if form == "secondary-structure":
        if not head.text.lstrip().startswith(">"):
            raise InputError(
                f"{head.path} does not begin with '>'; give '>accession' and under it one letter per residue"
            )
        return AnnotationFile(form, readers.classify(head))
    return AnnotationFile(form, head.as_lines)


def _with_header(head: readers.Head, form: AnnotationFormat) -> readers.DataFile:
    data = readers.classify(head)
    if data.format == "fasta":
        raise InputError(
            f"{data.path}: FASTA holds no annotations; use add proteins for it, or, where its letters are "
            "those of DSSP, --format secondary-structure"
        )
    if form == "uniprot" and data.format != "uniprot":
        raise InputError(f"{data.path} is no UniProtKB export: it has no column {readers.UNIPROT_KEY}")
    if form != "uniprot" and data.format == "uniprot":
        raise InputError(
            f"{data.path} is a UniProtKB export: it has a column {readers.UNIPROT_KEY}, no {form}"
        )
    return data


def _format(head: readers.Head) -> AnnotationFormat:
    text = head.text
    if text is None:
        return _table_format(readers.classify(head))
    if text.lstrip().startswith(">"):
        return "secondary-structure" if _is_structure(text) else "table"  # which is refused as FASTA
    lines = [line for line in text.splitlines() if line.strip()]
    if lines[0].startswith("##gff-version"):
        return _gff(head, lines[0])
    if any(line.startswith("# target name") for line in lines[:5]):
        return "domtblout"
    first = next((line for line in lines if not line.startswith("#")), "")
    fields = first.split("\t")
    if 11 <= len(fields) <= 15 and _MD5.fullmatch(fields[1]) and _are_integers(fields, 2, 6, 7):
        return "interpro"
    if len(fields) == 9 and _are_integers(fields, 3, 4) and fields[6] in ("+", "-", ".", "?"):
        return "gff3"
    if _BED.search(head.path.name) or re.match(r"(track|browser)\s", first):
        return "bed"
    words = first.split()
    if len(words) >= 15 and _are_integers(words, 1, 2, 3, 4) and re.match(r"PF\d{5}", words[5]):
        return "pfam-scan"
    if len(words) >= 22 and _are_integers(words, 2, 5, 9, 10, 15, 16, 17, 18, 19, 20):
        return "domtblout"
    return _table_format(readers.classify(head))


def _table_format(data: readers.DataFile) -> AnnotationFormat:
    if data.format == "uniprot":
        return "uniprot"
    if all(data.has(column) for column in PFAM_REGIONS) and any(data.has(key) for key in PFAM_KEYS):
        return "pfam-regions"
    is_scored = (data.has("value") and data.has("position")) or data.has("values")
    if is_scored and not (data.has("start") or data.has("concept")):
        return "scores"
    return "table"


def _gff(head: readers.Head, line: str) -> AnnotationFormat:
    version = line.removeprefix("##gff-version").strip()
    if not version.startswith("3"):
        raise InputError(f"{head.path} is GFF of version {version or '?'}; convert it to GFF3")
    return "gff3"


def _is_structure(text: str) -> bool:
    lines = [line for line in text.splitlines() if not line.startswith(">")]
    return bool("".join(lines).strip()) and all(_CODES.fullmatch(line) for line in lines)


def _are_integers(fields: list[str], *places: int) -> bool:
    return all(_INTEGER.fullmatch(fields[place]) for place in places)
