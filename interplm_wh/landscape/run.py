"""Make the landscape of an SAE: a map with clusters, co-activation, and matches with other SAEs."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from interplm_wh import names, progress, sqlfile, store
from interplm_wh.build.directions import decoder_of
from interplm_wh.build.make import parameters
from interplm_wh.build.scale import weights_of
from interplm_wh.errors import InputError, NotThereError, faults_message
from interplm_wh.landscape import directions_map, sample, stale
from interplm_wh.landscape.report import ClusterReport, MapReport, MatchReport
from interplm_wh.landscape.sample import Sample
from interplm_wh.progress import Bar
from interplm_wh.store import Transaction
from interplm_wh.store.rows import first_row, value

N_PROTEINS, N_PAIRS, N_DRAWS = 1000, 20, 10
N_MATCHES = 5
_COACTIVATION = "coactivation"


def cluster(
    warehouse: str | Path,
    sae: str,
    *,
    others: Sequence[str] = (),
    n_proteins: int = N_PROTEINS,
    n_residues: int | None = None,
    n_pairs: int = N_PAIRS,
    n_draws: int = N_DRAWS,
    skip_map: bool = False,
) -> ClusterReport:
    """Map the features of an SAE, and find those that are active together, there and in other SAEs.

    Writes `feature_map`, and of `feature_pairs` what is sampled; what was there before is replaced.

    Parameters
    ----------
    warehouse : str or Path
    sae : str
    others : sequence of str
        SAEs to match its features with, over the proteins that both have encoded.
    n_proteins : int
        Proteins that residues are drawn from at most, the first in the order of their `sample_key`.
    n_residues : int, optional
        Residues to draw; by default as many as are compared in some seconds, up to about 50,000.
    n_pairs : int
        Pairs kept of each feature by co-activation.
    n_draws : int
        Draws of chance for matches, at least 3.
    skip_map : bool
        Leave out the map, which needs a decoder.

    Raises
    ------
    NotThereError
        If there is no such warehouse or SAE, or nothing was encoded and built.
    InputError
        If a number is out of range, an SAE is to be matched with itself, or it has no decoder to map.
    ModelError
        If a map is wanted and UMAP is not installed.
    """
    started = time.monotonic()
    _check_numbers(n_proteins=n_proteins, n_residues=n_residues, n_pairs=n_pairs, n_draws=n_draws)
    if not skip_map:
        directions_map.require_extra()
    settings = {
        "sae": sae, "others": list(others), "n_proteins": n_proteins, "n_residues": n_residues,
        "n_pairs": n_pairs, "n_draws": n_draws, "skip_map": skip_map,
    }  # fmt: skip
    n_steps = (not skip_map) + 1 + (n_draws + 1) * len(set(others))
    made_by = _Command(sae, n_proteins, n_residues, n_pairs, n_draws, skip_map)
    with (
        store.write(warehouse, command="cluster", settings=settings) as tx,
        progress.track(f"landscape of {sae}", total=n_steps) as bar,
    ):
        _check_saes(tx, sae, others)
        if not skip_map:
            _write_map(tx, sae, bar, command=made_by.text())
        found = _write_coactive(tx, made_by, bar)
        matches = []
        for other in dict.fromkeys(others):
            chosen = n_residues or sample.affordable_residues(tx.con, sae, other, n_draws=n_draws)
            matches.append(_write_matched(tx, made_by, Sample(sae, other, n_proteins, chosen), bar))
        mapped = None if skip_map else _mapped(tx, sae)
        tx.publish()
    return ClusterReport(sae, mapped, *found, tuple(matches), time.monotonic() - started)


@dataclass(frozen=True)
class _Command:
    """What was asked for, so that it can be asked for again; attributes are those of `cluster`."""

    sae: str
    n_proteins: int
    n_residues: int | None
    n_pairs: int
    n_draws: int
    skip_map: bool

    def text(self, *, other: str | None = None) -> str:
        """Return the command line that makes it anew."""
        words = ["cluster", "--sae", self.sae, *(["--with", other] if other else [])]
        given = {
            "--proteins": (self.n_proteins, N_PROTEINS), "--residues": (self.n_residues, None),
            "--pairs": (self.n_pairs, N_PAIRS), "--draws": (self.n_draws, N_DRAWS),
        }  # fmt: skip
        for option, (number, usual) in given.items():
            words += [option, str(number)] if number != usual else []
        return shlex.join([*words, *(["--skip-map"] if self.skip_map else [])])


def _check_numbers(*, n_proteins: int, n_residues: int | None, n_pairs: int, n_draws: int) -> None:
    lowest = {"n_proteins": (n_proteins, 2), "n_residues": (n_residues, 1), "n_pairs": (n_pairs, 1),
              "n_draws": (n_draws, 3)}  # fmt: skip
    faults = [
        f"{name} must be at least {least}, not {given}"
        for name, (given, least) in lowest.items()
        if given is not None and given < least
    ]
    if faults:
        raise InputError("; ".join(faults))


def _check_saes(tx: Transaction, sae: str, others: Sequence[str]) -> None:
    """Refuse names that there are not, and SAEs without what a sample needs."""
    known = [name for (name,) in tx.con.execute("select sae from saes order by sae").fetchall()]
    for name in (sae, *others):
        if name not in known:
            near = names.nearest(name, known)
            hint = f"; did you mean {near}?" if near else f"; there are {', '.join(known) or 'none'}"
            raise NotThereError(f"there is no SAE {name!r} in {tx.root}{hint}")
    if sae in others:
        raise InputError(f"--with {sae}: an SAE is matched with another; its own features are compared too")
    faults = []
    for name in (sae, *dict.fromkeys(others)):
        if first_row(tx.con, "from encodings where sae = ? limit 1", [name]) is None:
            faults.append(f"{name} has encoded no protein: interplm-wh encode --sae {name}")
        elif first_row(tx.con, "from features where sae = ? limit 1", [name]) is None:
            faults.append(f"{name} has no scale yet: interplm-wh build")
    shared = (
        "from encodings as a inner join encodings as b on a.protein_id = b.protein_id "
        "where a.sae = ? and b.sae = ? limit 1"
    )
    if not faults:
        faults = [
            f"{sae} and {other} have no protein in common: interplm-wh encode --sae {sae} --sae {other}"
            for other in dict.fromkeys(others)
            if first_row(tx.con, shared, [sae, other]) is None
        ]
    if faults:
        raise NotThereError(faults_message(str(tx.root), faults, "nothing was changed; do that first"))


def _write_map(tx: Transaction, sae: str, bar: Bar, *, command: str) -> None:
    tensors, checksum = weights_of(tx, sae)
    if value(tx.con, "select role from saes where sae = ?", [sae]) == "neurons":
        raise InputError(
            f"{sae} are raw neurons, which have no decoder: each is a direction of its own, as far from one "
            "as from another, so that a map of them would say nothing; leave the map out with --skip-map"
        )
    decoder = decoder_of(tensors)
    if not decoder.size:
        raise InputError(
            f"{sae} has no decoder here: its activations were made elsewhere; leave the map out with "
            "--skip-map, or add the SAE with its weights under another name"
        )
    bar.describe(f"{sae}: UMAP of decoder columns, which is compiled the first time")
    found = directions_map.lay_out(decoder, sae=sae)
    rows = pa.table(
        {
            "feature": found.features,
            "x": found.places[:, 0],
            "y": found.places[:, 1],
            "cluster": pa.array(found.clusters, mask=found.clusters == 0),
            "membership": found.memberships,
            "fingerprint": pa.array([checksum[:16]] * len(found.features), pa.string()),
        }
    )
    folder = tx.new_folder(stale.MAP, sae=sae)
    tx.con.register("given_map", rows)
    tx.write_query(folder, "from given_map")
    tx.con.unregister("given_map")
    made = stale.dump(stale.map_state(tx.con, sae), [sae], command=command)
    tx.replace(stale.MAP, [folder], sae=sae, fingerprint=made)
    bar.advance(1)


def _write_coactive(tx: Transaction, asked: _Command, bar: Bar) -> tuple[int, int, int]:
    """Write the pairs of one SAE; returns the proteins and residues of the sample, and the pairs."""
    sae = asked.sae
    n_residues = asked.n_residues or sample.affordable_residues(tx.con, sae, sae)
    presence = parameters(tx.con, sae)["presence"]
    try:
        drawn = Sample(sae, sae, asked.n_proteins, n_residues)
        sample.lay_coactive(tx.con, drawn, presence=presence, k=asked.n_pairs, bar=bar)
        made = stale.dump(stale.pairs_state(tx.con, [sae]), [sae], command=asked.text())
        n_pairs = _write_rows(tx, sae, "coactive_rows", {"sae": sae}, source=_COACTIVATION, made=made)
        return (*_n_drawn(tx), n_pairs)
    finally:
        sample.drop_all(tx.con)


def _write_matched(tx: Transaction, asked: _Command, drawn: Sample, bar: Bar) -> MatchReport:
    """Write the matches of two SAEs, as rows of either."""
    saes = [drawn.sae, drawn.other_sae]
    try:
        sample.lay_matched(tx.con, drawn, n_draws=asked.n_draws, k=N_MATCHES, bar=bar)
        made = stale.dump(stale.pairs_state(tx.con, saes), saes, command=asked.text(other=drawn.other_sae))
        for sae, other in (saes, saes[::-1]):
            bound = {"is_other": sae == drawn.other_sae, "counterpart": other, "k": N_MATCHES}
            _write_rows(tx, sae, "matched_rows", bound, source=stale.match_source(other), made=made)
        row = first_row(tx.con, sqlfile.load(sample.FOLDER, "match_summary").sql)
        assert row is not None
        return MatchReport(drawn.other_sae, *_n_drawn(tx), *row)
    finally:
        sample.drop_all(tx.con)


def _write_rows(
    tx: Transaction, sae: str, name: str, bound: dict[str, object], *, source: str, made: str
) -> int:
    """Put rows in the place of those of the same source; returns how many."""
    file = sqlfile.load(sample.FOLDER, name)
    folder = tx.new_folder(stale.PAIRS, sae=sae)
    path = tx.write_query(folder, file.sql, file.bind(bound))
    tx.replace(stale.PAIRS, [folder], sae=sae, source=source, fingerprint=made)
    return int(value(tx.con, "select count(*) from read_parquet(?)", [str(path)]))


def _n_drawn(tx: Transaction) -> tuple[int, int]:
    row = first_row(tx.con, "select count(distinct protein_id), count(*) from sampled_residues")
    assert row is not None
    return int(row[0]), int(row[1])


def _mapped(tx: Transaction, sae: str) -> MapReport:
    tx.lay_macros()
    row = first_row(
        tx.con,
        "select count(*), coalesce(max(cluster), 0), count(*) filter (where cluster is null), "
        "(select count(*) from feature_clusters($sae) where label is not null) "
        "from feature_map where sae = $sae",
        {"sae": sae},
    )
    assert row is not None
    return MapReport(*row)
