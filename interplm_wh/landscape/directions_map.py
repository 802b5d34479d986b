"""A map of decoder directions: UMAP, and clusters on it."""

from __future__ import annotations

import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from interplm_wh.build.directions import unit_columns
from interplm_wh.errors import InputError, ModelError

# Those of InterPLM (Simon and Zou, Nature Methods 2025, methods).
N_NEIGHBOURS, MIN_DISTANCE = 15, 0.1
MIN_CLUSTER_SIZE, MIN_SAMPLES = 5, 3
SEED = 0
EXTRA = "pip install 'interplm-wh[landscape]'"

Float32 = npt.NDArray[np.float32]
Int32 = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Map:
    """Where features lie.

    Attributes
    ----------
    features : int32 [n]
        0-based, ascending.
    places : float32 [n, 2]
    clusters : int32 [n]
        1 is the largest, then that of the lowest feature; 0: none.
    memberships : float32 [n]
        0 to 1.
    """

    features: Int32
    places: Float32
    clusters: Int32
    memberships: Float32


def require_extra() -> None:
    """Load UMAP and scikit-learn, which takes seconds.

    Raises
    ------
    ModelError
        If they are not installed.
    """
    _keep_compiled_apart()
    try:
        import sklearn.cluster  # noqa: F401

        with warnings.catch_warnings():  # umap's, that TensorFlow is not there, which is not needed
            warnings.simplefilter("ignore", ImportWarning)
            import umap  # noqa: F401
    except ModuleNotFoundError as error:
        raise ModelError(
            f"a map of features needs the package {error.name}, which is not installed; run {EXTRA}, or "
            "leave the map out with --skip-map"
        ) from error


def _keep_compiled_apart() -> None:
    """Let numba keep what it compiles in the user's folder of caches, not beside installed packages."""
    if "numba" not in sys.modules:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(base) / "interplm-wh" / "numba"))


def lay_out(decoder: Float32, *, sae: str) -> Map:
    """Lay the decoder columns of an SAE out on a plane, and find clusters there.

    The same columns give the same map on the same machine and versions of the packages.

    Parameters
    ----------
    decoder : float32 [d_model, n_features]
        Of any lengths: columns are taken at length 1, and those of length 0 left out.
    sae : str
        Its name, for messages.

    Raises
    ------
    InputError
        If fewer features than UMAP looks at around each have a direction.
    ModelError
        If UMAP is not installed.
    """
    features, unit = unit_columns(decoder)
    if len(features) <= N_NEIGHBOURS:
        raise InputError(
            f"{sae} has {len(features)} features whose decoder column is not 0, and a map needs "
            f"{N_NEIGHBOURS + 1} at least; leave the map out with --skip-map"
        )
    require_extra()
    import sklearn.cluster
    import umap

    reducer = umap.UMAP(
        n_neighbors=N_NEIGHBOURS, min_dist=MIN_DISTANCE, metric="cosine", random_state=SEED, n_jobs=1
    )
    places = np.ascontiguousarray(reducer.fit_transform(unit), dtype=np.float32)  # [n, 2]
    found = sklearn.cluster.HDBSCAN(
        min_cluster_size=MIN_CLUSTER_SIZE, min_samples=MIN_SAMPLES, copy=True
    ).fit(places.astype(np.float64))
    clusters = _numbered(np.asarray(found.labels_))
    memberships = np.asarray(found.probabilities_, dtype=np.float32)
    return Map(features, places, clusters, np.where(clusters > 0, memberships, np.float32(0)))


def _numbered(labels: npt.NDArray[np.integer]) -> Int32:
    """Number clusters from 1: the largest first, then the one that begins first; 0 where there is none."""
    names, firsts, sizes = np.unique(labels, return_index=True, return_counts=True)
    order = [i for i in np.lexsort((firsts, -sizes)) if names[i] >= 0]
    numbers = {int(names[i]): n for n, i in enumerate(order, start=1)}
    return np.array([numbers.get(int(label), 0) for label in labels], dtype=np.int32)
