"""Student's t: p-values and intervals of mean differences."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from interplm_wh.errors import InputError

Floats = npt.NDArray[np.float64]
EXTRA = "pip install 'interplm-wh[dashboard]'"
_INTERVAL = 0.975


def require_extra() -> None:
    """Refuse to go on without the package that knows Student's t.

    Raises
    ------
    InputError
    """
    try:
        import scipy.special  # noqa: F401
    except ModuleNotFoundError as error:
        raise InputError(
            f"t-tests need the package {error.name}, which is not installed; run {EXTRA}"
        ) from error


def weigh(n: Floats, mean: Floats, deviation: Floats) -> tuple[Floats, Floats, Floats]:
    """Return two-sided p-values that mean differences are 0, and both ends of their 95 % intervals.

    Parameters
    ----------
    n, mean, deviation : float64 array [n_tests]
        Number of paired differences, at least 2; their mean; their standard deviation (n - 1).

    Returns
    -------
    p, low, high : float64 array [n_tests]
        Where all differences are the same, p is 1 if they are 0, and else 0.

    Source: Student, Biometrika 6, 1 (1908).
    """
    from scipy.special import stdtr, stdtrit

    error = deviation / np.sqrt(n)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(mean == 0, 0.0, np.abs(mean) / error)
    wide = stdtrit(n - 1, _INTERVAL) * error
    return 2 * stdtr(n - 1, -t), mean - wide, mean + wide
