"""Progress without a terminal: when lines come, and what they say of speed."""

from __future__ import annotations

import re
import time

import pytest

from interplm_wh import progress


def test_a_line_comes_after_two_seconds_and_counts_only_what_this_run_did(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress.track("training", total=1000, done=900) as bar:
        bar.advance(1)
        assert capsys.readouterr().err == ""
        time.sleep(progress.FIRST_SECONDS)
        bar.advance(19)
    said = capsys.readouterr()
    assert said.out == ""
    line = re.fullmatch(r"training: 920 of 1,000 steps, (\d+) steps/s, about (\d+) s left\n", said.err)
    assert line is not None, said.err
    assert int(line[1]) <= 10  # 20 steps in two seconds, not 920
    assert int(line[2]) >= 8  # 80 are left
