"""What people say of words on a feature."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from interplm_wh import names, store
from interplm_wh.errors import InputError, NotThereError
from interplm_wh.interpret import keep
from interplm_wh.interpret.answers import plain

Verdict = Literal["confirmed", "spurious"]
NOTE_CHARACTERS, JUDGE_CHARACTERS = 2000, 100
_WORDS = (
    "select source from interpretations where sae = ? and feature = ? and status <> 'failed' order by source"
)


@dataclass(frozen=True)
class VerdictReport:
    """What was kept."""

    sae: str
    feature: int
    source: str
    verdict: Verdict
    judge: str

    def lines(self) -> list[str]:
        """Print it for people."""
        return [
            f"{self.sae}, feature {self.feature}: the words of {self.source} are {self.verdict}, says "
            f"{self.judge}; kept in interpretation_verdicts"
        ]


def verdict(
    warehouse: str | Path, sae: str, feature: int, *, verdict: Verdict, source: str | None = None,
    note: str | None = None, judge: str | None = None,
) -> VerdictReport:  # fmt: skip
    """Keep what a person says of words on a feature; the last verdict counts, earlier ones stay.

    Parameters
    ----------
    warehouse : str or Path
    sae : str
    feature : int
        0-based.
    verdict : {'confirmed', 'spurious'}
    source : str, optional
        Whose words: a model, or describe; may be left out where there is one source alone.
    note : str, optional
        Why; at most 2000 characters.
    judge : str, optional
        Who says so; by default the user's name on this machine.

    Raises
    ------
    NotThereError
        If there are no words on the feature, or none of that source.
    InputError
        If there are several sources and none is named, or a text is too long.
    """
    said_by = plain(judge if judge is not None else getpass.getuser())
    said = plain(note) if note is not None else None
    if not said_by or len(said_by) > JUDGE_CHARACTERS or len(said or "") > NOTE_CHARACTERS:
        raise InputError(
            f"a name has 1 to {JUDGE_CHARACTERS} characters, a note {NOTE_CHARACTERS} at most; shorten them"
        )
    settings = {"sae": sae, "feature": feature, "verdict": verdict}
    with store.write(warehouse, command="verdict", settings=settings) as tx:
        known = [name for (name,) in tx.con.execute("select sae from saes order by sae").fetchall()]
        if sae not in known:
            near = names.nearest(sae, known)
            hint = f"did you mean {near}?" if near else f"there are {', '.join(known) or 'none'}"
            raise NotThereError(f"there is no SAE {sae!r} in {tx.root}; {hint}")
        whose = _source(
            sae, feature, [s for (s,) in tx.con.execute(_WORDS, [sae, feature]).fetchall()], source
        )
        row = {
            "sae": sae, "feature": feature, "source": whose, "created": keep.now(), "verdict": verdict,
            "note": said or None, "judge": said_by,
        }  # fmt: skip
        keep.add_verdict(tx, row)
        tx.publish()
    return VerdictReport(sae, feature, whose, verdict, said_by)


def _source(sae: str, feature: int, known: list[str], asked: str | None) -> str:
    if not known:
        raise NotThereError(
            f"{sae}: there are no words on feature {feature}; make them with: interplm-wh describe --sae "
            f"{sae} --feature {feature}"
        )
    if asked is None and len(known) > 1:
        raise InputError(
            f"{sae}: feature {feature} has words of {', '.join(known)}; say whose are meant with --source"
        )
    if asked is not None and asked not in known:
        raise NotThereError(f"{sae}: feature {feature} has no words of {asked}; there are {', '.join(known)}")
    return asked or known[0]
