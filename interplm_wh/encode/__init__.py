"""Encoding: proteins through a PLM and SAEs into sparse Parquet parts, once."""

from interplm_wh.encode.fasta_scale import scale_from_fasta
from interplm_wh.encode.report import EncodedSae, EncodeReport
from interplm_wh.encode.run import encode

__all__ = ["EncodeReport", "EncodedSae", "encode", "scale_from_fasta"]
