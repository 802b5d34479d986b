"""The choices that recipes, pipelines and tensor code share, by name; free of PyTorch."""

from __future__ import annotations

from typing import Literal, get_args

InputNorm = Literal["none", "sqrt_d", "layer_norm", "unit_mean_norm"]
INPUT_NORMS: tuple[InputNorm, ...] = get_args(InputNorm)
ErrorKind = Literal["squared", "norm"]
ERRORS: tuple[ErrorKind, ...] = get_args(ErrorKind)
