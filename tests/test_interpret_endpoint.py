"""Language models over HTTP: a server on this machine answers well and badly, and counts what it is asked."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from http_server import Reply, Request

import interplm_wh
from interplm_wh import commands, store
from interplm_wh.errors import (
    DownloadError,
    InputError,
    InterplmError,
    LockedError,
    ModelError,
    NotThereError,
)
from interplm_wh.ingest.retry import Retry
from interplm_wh.interpret import Cost, DryRun, InterpretReport, answers, ask, interpret, journal
from interplm_wh.interpret.answers import AnswerError
from interplm_wh.interpret.session import refuse_private
from interplm_wh.store.transaction import hold
from tests import worded
from tests.worded import SAE, Model, completion, refusal, well

KEY = "sk-test-0123456789-secret"
QUICK = Retry(attempts=3, first_seconds=0.01, cap_seconds=2.0, total_seconds=5.0)
Row = dict[str, Any]
Answerer = Callable[[Request], Reply]


@pytest.fixture(scope="module")
def built(worded_warehouse: Path) -> Path:
    return worded_warehouse


@pytest.fixture
def root(built: Path, tmp_path: Path) -> Path:
    return shutil.copytree(built, tmp_path.resolve() / "w")


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[Model]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with worded.model() as it:
        yield it


def run(
    root: Path, model: Model, *features: int, retry: Retry = QUICK, timeout: float = 30.0, name: str = "m",
    concurrency: int = 2,
) -> InterpretReport:  # fmt: skip
    report = interpret(
        root, SAE, model=name, base_url=model.url, confirm=lambda cost: True, features=features or (0,),
        retry=retry, timeout=timeout, concurrency=concurrency,
    )  # fmt: skip
    assert isinstance(report, InterpretReport)
    return report


def rows(path: Path, sql: str) -> list[Row]:
    with interplm_wh.open(path) as wh:
        return wh.sql(sql).to_pylist()


def words(path: Path) -> Row:
    (row,) = rows(path, "from interpretations")
    return row


def files_of(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def state(root: Path) -> dict[str, bytes]:
    """All files of a warehouse, less what only locks leave behind."""
    return {
        name: content
        for name, content in files_of(root).items()
        if name not in (".lock", "answers/journal.jsonl") or content
    }


# -- good answers --------------------------------------------------------------------------------------


def test_words_and_predictions_are_kept_with_their_scores(root: Path, model: Model) -> None:
    report = run(root, model)
    one = words(root)
    assert (one["source"], one["status"], one["reason"]) == ("m", "scored", None)
    assert (one["summary"], one["description"]) == (worded.GOOD["summary"], worded.GOOD["description"])
    assert one["pearson_r"] > 0.7 and one["balanced_accuracy"] == 1.0
    assert (report.n_features, report.n_scored, report.n_sent) == (1, 1, 2)
    assert (report.n_tokens_in, report.n_tokens_out) == (200, 40)
    kept = rows(root, "from interpretation_prompts order by kind")
    assert [(row["kind"], row["status"], row["n_tokens_in"]) for row in kept] == [
        ("describe", "valid", 100), ("predict", "valid", 100),
    ]  # fmt: skip
    assert one["sha256"] == kept[0]["sha256"]
    assert json.loads(kept[0]["text"])["messages"] == worded.asked(model.requests[0])["messages"]
    predicted = rows(root, "from interpretation_predictions where not is_shown")
    assert {row["predicted"] for row in predicted} == {0.0, 0.5}
    assert commands.verify(root).is_sound


def test_the_model_is_shown_no_activation_of_what_it_predicts(root: Path, model: Model) -> None:
    run(root, model)
    shown, scored = worded.data(model.requests[0]), worded.data(model.requests[1])
    assert {"activation", "window", "length", "protein", "window_start"} <= set(shown[0])
    assert all(set(row) <= {"protein", "name", "organism", "length", "sequence"} for row in scored)
    accessions = [row["accession"] for row in rows(root, "from interpretation_predictions")]
    text = b"".join(model.bodies).decode()
    assert not [name for name in accessions if f'"{name}"' in text]  # a model may know them by heart


def test_words_of_a_model_stand_beside_the_baseline(root: Path, model: Model) -> None:
    commands.describe(root, SAE)
    lines = "\n".join(run(root, model, 0, 5).lines())
    assert "describe" in lines and "compared" in lines and "there is no baseline" not in lines
    beside = {row["source"]: row for row in rows(root, "from words_beside_baseline('worded')")}
    assert beside["m"]["n_compared"] == 2 and beside["describe"]["n_better"] == 0
    r = {(row["source"], row["feature"]): row["pearson_r"] for row in rows(root, "from interpretations")}
    assert beside["m"]["n_better"] == sum(r["m", f] > r["describe", f] for f in (0, 5))
    with pytest.raises(InputError, match="has words of describe, m; say whose"):
        commands.verdict(root, SAE, 0, verdict="confirmed")
    commands.verdict(root, SAE, 0, verdict="spurious", source="m", judge="me")
    said = {row["source"]: row["verdict"] for row in rows(root, "from feature_words('worded', 0)")}
    assert said == {"m": "spurious", "describe": None}


def test_json_schema_is_asked_for_and_left_out_where_it_is_not_known(root: Path, model: Model) -> None:
    def answer(request: Request) -> Reply:
        sent = worded.asked(request)
        if "response_format" in sent:
            return refusal(400, "response_format is not supported")
        if "max_tokens" in sent:
            return refusal(400, "Unsupported parameter: use 'max_completion_tokens' instead.")
        assert sent["max_completion_tokens"] == 4000
        return completion("```json\n" + json.dumps(json.loads(json.loads(well(request).body)["choices"][0][
            "message"]["content"])) + "\n```")  # fmt: skip

    model.answer = answer
    assert run(root, model, concurrency=1).n_scored == 1
    first = worded.asked(model.requests[0])["response_format"]["json_schema"]
    assert first["strict"] and first["schema"]["required"] == ["summary", "description"]
    assert model.n_calls == 4  # two that were not known, then two that were answered
    n_calls = model.n_calls
    assert run(root, model).n_sent == 0 and model.n_calls == n_calls


# -- bad answers ---------------------------------------------------------------------------------------


BAD_WORDS = [
    ("this is not JSON", "not JSON"),
    ("{", "not JSON"),
    ("[" * 5000, "not JSON"),
    ('{"summary": NaN, "description": "d"}', "not JSON"),
    ("[1, 2]", "no JSON object"),
    ({"summary": "s"}, "must have description and summary"),
    ({"summary": "s", "description": "d", "more": 1}, "and nothing else"),
    ({"summary": 1, "description": "d"}, "summary is no text"),
    ({"summary": "\u202e\n", "description": "d"}, "summary is empty"),
    ({"summary": "s" * 121, "description": "d"}, "summary is longer than 120"),
    ({"summary": "s", "description": "d" * 2001}, "description is longer than 2,000"),
    ("x" * 30_000, "longer than 20,000"),
    ("", "not JSON"),
]


@pytest.mark.parametrize(("text", "reason"), BAD_WORDS)
def test_words_that_cannot_be_used_are_told_apart(text: object, reason: str) -> None:
    with pytest.raises(AnswerError, match=reason):
        answers.read_words(text if isinstance(text, str) else json.dumps(text))


@pytest.mark.parametrize(("numbers", "reason"), [
    ([0.1, 0.2], "has 2 numbers and not 3"),
    ([0.1, 0.2, 1.1], "prediction 3 is no number"),
    ([0.1, -0.1, 1], "prediction 2 is no number"),
    ([True, 0, 0], "prediction 1 is no number"),
    (["0.1", 0, 0], "prediction 1 is no number"),
    ([None, 0, 0], "prediction 1 is no number"),
    ({"1": 0.5}, "is no list"),
    ([10**400, 0, 0], "prediction 1 is no number"),
])  # fmt: skip
def test_predictions_that_cannot_be_used_are_told_apart(numbers: object, reason: str) -> None:
    with pytest.raises(AnswerError, match=reason):
        answers.read_predictions(json.dumps({"predictions": numbers}), 3)
    assert answers.read_predictions('{"predictions": [0, 1, 0.25]}', 3) == (0.0, 1.0, 0.25)


@pytest.mark.parametrize("bad", ["not JSON at all", {"wrong": "schema"}, {"summary": "", "description": ""}])
def test_a_bad_answer_is_asked_for_once_more_and_then_recorded(root: Path, model: Model, bad: object) -> None:
    model.answer = lambda request: completion(bad)
    report = run(root, model)
    one = words(root)
    assert one["status"] == "failed" and one["summary"] is None and one["reason"]
    assert report.failures == ((0, one["reason"]),) and model.n_calls == 2
    again = worded.asked(model.requests[1])["messages"]
    assert [m["role"] for m in again] == ["system", "user", "assistant", "user"]
    assert one["reason"] in again[-1]["content"]
    assert {row["status"] for row in rows(root, "from interpretation_prompts")} == {"invalid"}
    assert run(root, model).n_sent == 0 and model.n_calls == 2  # paid for once
    assert commands.verify(root).is_sound


def test_a_good_answer_after_a_bad_one_counts(root: Path, model: Model) -> None:
    model.answer = lambda request: well(request) if model.n_calls % 2 == 0 else completion("?")
    assert run(root, model, concurrency=1).n_scored == 1
    assert model.n_calls == 4
    statuses = [row["status"] for row in rows(root, "from interpretation_prompts order by created")]
    assert statuses == ["invalid", "valid", "invalid", "valid"]


def test_a_refusal_is_recorded_with_its_words(root: Path, model: Model) -> None:
    model.answer = lambda request: completion(None, refusal="I cannot help with that.")
    run(root, model)
    assert words(root)["reason"] == "refused: I cannot help with that."
    assert {row["status"] for row in rows(root, "from interpretation_prompts")} == {"refused"}


def test_words_stay_where_predictions_fail(root: Path, model: Model) -> None:
    model.answer = lambda r: well(r) if worded.is_describing(r) else completion({"predictions": [2]})
    run(root, model)
    one = words(root)
    assert (one["status"], one["summary"], one["n_scored"]) == ("unscored", worded.GOOD["summary"], 0)
    assert "predictions has 1 numbers" in one["reason"] and one["pearson_r"] is None


def test_what_a_model_writes_is_one_line_of_text(root: Path, model: Model) -> None:
    nasty = "<img src=x onerror=alert(1)>\n![x](http://evil.example)\x00\u202e:red[x]"

    def answer(request: Request) -> Reply:
        return (
            completion({"summary": nasty, "description": nasty})
            if worded.is_describing(request)
            else well(request)
        )

    model.answer = answer
    run(root, model)
    assert words(root)["summary"] == "<img src=x onerror=alert(1)> ![x](http://evil.example) :red[x]"
    told = worded.asked(model.requests[1])["messages"][1]["content"]
    (line,) = [line for line in told.split("\n") if "onerror" in line]
    assert json.loads(line)["summary"] == words(root)["summary"]


# -- an endpoint that fails ----------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [
    refusal(429, "slow down", **{"retry-after": "0"}),
    refusal(500, "oops"),
    Reply(b"<html>busy</html>", 503, {"content-type": "text/html"}),
    Reply(b'{"choices": [{"message"', cut_after=10),
    Reply(b"<html>ok</html>", 200, {"content-type": "text/html"}),
    Reply(b'{"choices": []}', 200, {"content-type": "application/json"}),
])  # fmt: skip
def test_what_passes_is_asked_again(root: Path, model: Model, bad: Reply) -> None:
    model.answer = lambda request: bad if model.n_calls % 2 else well(request)
    assert run(root, model, concurrency=1).n_scored == 1
    assert model.n_calls == 4 and len(set(model.bodies)) == 2


def test_retry_after_is_honoured(root: Path, model: Model) -> None:
    times: list[float] = []

    def answer(request: Request) -> Reply:
        times.append(time.monotonic())
        return refusal(429, "slow down", **{"retry-after": "1"}) if len(times) == 1 else well(request)

    model.answer = answer
    run(root, model, concurrency=1)
    assert 1.0 <= times[1] - times[0] < 3


def test_an_answer_that_does_not_come_is_given_up(root: Path, model: Model) -> None:
    is_over = threading.Event()

    def answer(request: Request) -> Reply:
        is_over.wait(20)
        return well(request)

    model.answer = answer
    before = state(root)
    try:
        with pytest.raises(DownloadError, match=r"gives no answer: no answer in 2 tries.*Timeout"):
            run(root, model, retry=Retry(2, 0.01, 1, 5), timeout=0.3)
    finally:
        is_over.set()
    assert state(root) == before and model.n_calls == 2


def test_an_answer_that_never_ends_is_given_up(root: Path, model: Model) -> None:
    model.answer = lambda request: Reply(b" " * 3_000_000, 200, {"content-type": "application/json"})
    with pytest.raises(DownloadError, match="longer than 2,000,000 bytes"):
        run(root, model)


def test_an_endpoint_that_is_not_there_changes_nothing(root: Path, model: Model) -> None:
    before = state(root)
    model.url = "http://127.0.0.1:9/v1"
    with pytest.raises(DownloadError, match=r"http://127\.0\.0\.1:9/v1 gives no answer.*check --base-url"):
        run(root, model, 0, 1, 5)
    assert state(root) == before


@pytest.mark.parametrize(("bad", "message"), [
    (refusal(401, "wrong key"), "status 401: wrong key.*OPENAI_API_KEY"),
    (refusal(404, "no such model"), "status 404: no such model.*--model"),
    (refusal(429, "pay first", code="insufficient_quota"), "status 429: pay first"),
    (Reply(status=302, headers={"location": "http://127.0.0.1:9/x"}), "sends on to .*/x, .*--base-url"),
])  # fmt: skip
def test_a_wrong_key_or_model_ends_at_once(root: Path, model: Model, bad: Reply, message: str) -> None:
    model.answer = lambda request: bad
    before = state(root)
    with pytest.raises(DownloadError, match=message):
        run(root, model, 0, 1, 5, concurrency=1)
    assert model.n_calls == 1 and state(root) == before


def test_a_prompt_that_is_not_taken_fails_alone(root: Path, model: Model) -> None:
    def answer(request: Request) -> Reply:
        is_first = worded.asked(request)["messages"] == worded.asked(model.requests[0])["messages"]
        return refusal(400, "context length exceeded") if is_first else well(request)

    model.answer = answer
    report = run(root, model, 0, 1, 5, concurrency=1)
    assert report.n_scored == 2 and "context length exceeded" in report.failures[0][1]
    model.answer = well  # it was never answered, so it is asked again
    assert run(root, model, 0, 1, 5).n_scored == 3
    assert commands.verify(root).is_sound


def test_an_endpoint_that_takes_no_prompt_at_all_is_given_up(root: Path, model: Model) -> None:
    model.answer = lambda request: refusal(400, "no such parameter")
    with pytest.raises(DownloadError, match="no such parameter"):
        run(root, model, 0, 1, 5, concurrency=1)
    assert model.n_calls == 3


def test_what_was_answered_is_kept_when_an_endpoint_goes_silent(root: Path, model: Model) -> None:
    model.answer = lambda request: well(request) if model.n_calls <= 2 else refusal(500, "down")
    report = run(root, model, 0, 1, 5, concurrency=1)
    assert report.n_scored == 1 and len(report.failures) == 2
    asked = model.bodies[:2]
    model.answer = well
    report = run(root, model, 0, 1, 5)
    assert report.n_scored == 3 and report.n_sent == 4
    assert all(model.bodies.count(body) == 1 for body in asked)


def test_a_failure_never_takes_words_away(root: Path, model: Model) -> None:
    run(root, model)
    before = words(root)
    model.answer = lambda request: completion("?")
    with store.write(root, command="test") as tx:
        tx.drop(journal.TABLE, sae=SAE)
        tx.publish()
    run(root, model)
    assert words(root) == before


# -- paying once ---------------------------------------------------------------------------------------


def test_nothing_is_asked_twice_and_another_model_is(root: Path, model: Model) -> None:
    run(root, model, 0, 5)
    first = rows(root, "select * exclude created from interpretations order by feature")
    assert run(root, model, 0, 5).n_sent == 0 and model.n_calls == 4
    assert rows(root, "select * exclude created from interpretations order by feature") == first
    assert run(root, model, name="other").n_sent == 2
    assert len(rows(root, "from interpretations")) == 3


def test_one_prompt_of_two_features_is_sent_once(built: Path, tmp_path: Path, model: Model) -> None:
    twin = "twin"
    path = shutil.copytree(built, tmp_path.resolve() / "w")
    commands.add_activations(path, built.parent / "activations.parquet", sae=twin, n_features=6, covers="all")
    commands.build(path)
    run(path, model)
    report = interpret(
        path, twin, model="m", base_url=model.url, confirm=lambda cost: False, features=[0], retry=QUICK
    )
    assert isinstance(report, InterpretReport) and report.n_sent == 0 and model.n_calls == 2
    assert len(rows(path, "from interpretation_prompts where sae = 'twin'")) == 2
    commands.remove_sae(path, SAE)
    assert len(rows(path, "from interpretation_prompts")) == 2


def cli(root: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "interplm_wh", "-w", str(root), *arguments]


def environment(key: str | None = KEY, **more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("OPENAI_")}
    return kept | ({"OPENAI_API_KEY": key} if key else {}) | more


def called(
    root: Path, *arguments: str, key: str | None = KEY, debug: bool = False, **more: str
) -> subprocess.CompletedProcess[str]:
    first = ["--debug"] if debug else []
    return subprocess.run(
        [sys.executable, "-m", "interplm_wh", *first, "-w", str(root), *arguments], capture_output=True,
        text=True, check=False, env=environment(key, **more), stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_a_run_without_any_words_fails(root: Path, model: Model) -> None:
    model.answer = lambda request: completion("no")
    words = ("--sae", SAE, "--model", "m", "--base-url", model.url, "--yes", "--feature", "0")
    done = called(root, "interpret", *words)
    assert done.returncode == 1 and "1 features, 0 scored" in done.stdout, done.stderr


def test_nothing_is_sent_where_no_answer_could_be_kept(
    root: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "_ROOM", 2**62)
    with pytest.raises(InputError, match="are free where answers are kept"):
        run(root, model, 0)
    assert model.n_calls == 0


def test_a_killed_run_loses_nothing_and_pays_nothing_twice(root: Path, model: Model) -> None:
    is_over = threading.Event()
    answered: list[bytes] = []

    def answer(request: Request) -> Reply:
        if model.n_calls > 3:
            is_over.wait(30)
        else:
            answered.append(request.body)
        return well(request)

    model.answer = answer
    arguments = (
        "interpret", "--sae", SAE, "--model", "m", "--base-url", model.url, "--yes", "--concurrency", "1",
        "--feature", "0", "--feature", "1", "--feature", "5",
    )  # fmt: skip
    with subprocess.Popen(
        cli(root, *arguments), env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        until = time.monotonic() + 60
        while model.n_calls < 4 and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    is_over.set()
    assert model.n_calls == 4 and not rows(root, "from interpretations")
    with journal.path_of(root).open("ab") as file:
        file.write(b'{"sae": "wor')  # as if it had been killed while writing
    model.answer = well
    done = called(root, *arguments)
    assert done.returncode == 0, done.stderr
    assert "3 more are answered already" in done.stderr
    assert len(answered) == 3 and all(model.bodies.count(body) == 1 for body in answered)
    assert len(set(model.bodies)) == 6 and model.n_calls == 7  # the one that was on its way is asked again
    assert [row["status"] for row in rows(root, "from interpretations")] == ["scored"] * 3
    assert len(rows(root, "from interpretation_prompts")) == 6
    assert journal.path_of(root).read_bytes() == b""
    assert commands.verify(root).is_sound


def test_two_runs_at_once_do_not_pay_for_the_same(root: Path, model: Model) -> None:
    with (
        store.open(root) as wh,
        journal.hold(wh, model="m", endpoint=model.url),
        pytest.raises(LockedError, match="another process interprets"),
    ):
        run(root, model)
    assert model.n_calls == 0


# -- what is never sent, and never written -------------------------------------------------------------


def test_no_private_sequence_is_ever_sent(root: Path, model: Model) -> None:
    report = run(root, model, 0, 1, 5)
    private = {p.sequence for p in worded.proteins() if p.is_private}
    sent = b"".join(model.bodies).decode()
    assert report.n_private == len(private) + 1  # and a twin of one of them
    pieces = [sequence[i : i + 20] for sequence in private for i in range(0, len(sequence) - 19)]
    assert not [piece for piece in pieces if piece in sent]
    assert f"{report.n_private} private proteins left out" in "\n".join(report.lines())


def test_a_prompt_with_a_private_protein_is_refused_at_the_point_of_sending(root: Path, model: Model) -> None:
    names = [p.accession for p in worded.proteins() if p.is_private][:1]
    prompt = ask.Prompt("describe", 0, ({"role": "user", "content": "x"},), tuple(names))
    with store.open(root) as wh, pytest.raises(InputError, match="1 of the proteins in a prompt are private"):
        refuse_private(wh, prompt)
    with store.open(root) as wh, pytest.raises(InputError, match="private"):
        refuse_private(wh, ask.Prompt("describe", 0, (), ("TWIN",)))


def test_a_protein_that_becomes_private_meanwhile_is_not_sent(root: Path, model: Model) -> None:
    def confirm(cost: Cost) -> bool:
        with store.write(root, command="test") as tx:
            folder = tx.new_folder("proteins")
            tx.write_query(folder, "select * replace (true as is_private) from proteins")
            tx.replace("proteins", [folder])
            tx.publish()
        return True

    with pytest.raises(InputError, match="private; it is not sent"):
        interpret(root, SAE, model="m", base_url=model.url, confirm=confirm, features=[0], retry=QUICK)
    assert model.n_calls == 0 and not rows(root, "from interpretations")


def test_names_are_data_whatever_they_say(root: Path, model: Model) -> None:
    run(root, model, 0, 1)
    hostile = 0
    for request in model.requests:
        for message in worded.asked(request)["messages"]:
            lines = message["content"].split("\n")
            assert lines.count("BEGIN DATA") == lines.count("END DATA") <= 2
            assert all(c.isprintable() for line in lines for c in line)
            is_data = False
            for line in lines:
                is_data = line == "BEGIN DATA" or (is_data and line != "END DATA")
                if is_data and line != "BEGIN DATA":
                    json.loads(line)  # one object on a line, which no name can leave
                else:
                    assert "Ignore all" not in line and "evil.example" not in line and "kinase" not in line
        hostile += sum("Ignore all" in row.get("name", "") for row in worded.data(request))
        assert all(len(row.get("name", "")) <= 120 for row in worded.data(request))
    assert hostile > 0


def test_the_key_is_nowhere(root: Path, model: Model) -> None:
    escaped = "".join(f"\\u{ord(c):04x}" for c in KEY)

    def echo(request: Request) -> Reply:
        said = {name.lower(): value for name, value in request.headers.items()}["authorization"]
        assert said == f"Bearer {KEY}"
        if model.n_calls == 1:
            return refusal(500, f"key {said}")
        if model.n_calls == 2:
            return completion(f"you said {said}")
        if worded.is_describing(request):
            return completion(f'{{"summary": "{KEY}", "description": "{escaped}"}}')
        return completion(None, refusal=f"no {said}") if model.n_calls % 2 else refusal(400, f"bad {said}")

    model.answer = echo
    arguments = (
        "interpret",
        "--sae",
        SAE,
        "--model",
        "m",
        "--base-url",
        model.url,
        "--feature",
        "0",
        "--yes",
    )
    done = [called(root, *arguments, debug=True, OPENAI_LOG="debug")]
    model.answer = lambda request: refusal(401, f"Incorrect API key provided: {KEY}")
    done.append(called(root, *arguments, "--feature", "5", debug=True, OPENAI_LOG="debug"))
    assert [one.returncode for one in done] == [0, 1], done[0].stderr
    assert words(root)["summary"] == words(root)["description"] == "[key]"
    assert "[key]" in done[1].stderr
    for one in done:
        assert KEY not in one.stdout and KEY not in one.stderr
    for name, content in files_of(root).items():
        assert KEY.encode() not in content, name
    for table in ("interpretation_prompts", "interpretations", "runs"):  # Parquet is packed
        assert KEY not in str(rows(root, f"from {table}"))


@pytest.mark.parametrize("url", [
    "https://user:secret-pass@host.example/v1", "https://host.example/v1?key=secret-pass",
    "https://host.example/#secret-pass", "ftp://host.example", "host.example/v1", "http://",
    "http://[host", "http://host:99999/v1",
])  # fmt: skip
def test_an_address_that_is_none_or_has_a_secret_is_refused(built: Path, url: str) -> None:
    with pytest.raises(InputError, match=r"base URL|no address") as refused:
        interpret(built, SAE, model="m", base_url=url, confirm=lambda cost: True, features=[0])
    assert "secret-pass" not in str(refused.value)


# -- the cost, and the command -------------------------------------------------------------------------


def test_the_cost_is_said_before_anything_is_sent(root: Path, model: Model) -> None:
    told: list[Cost] = []

    def confirm(cost: Cost) -> bool:
        assert model.n_calls == 0
        told.append(cost)
        return False

    before = state(root)
    with pytest.raises(InputError, match="nothing was sent"):
        interpret(
            root, SAE, model="m", base_url=model.url, confirm=confirm, features=[0, 5], price_in=2.0,
            price_out=10.0,
        )  # fmt: skip
    (cost,) = told
    assert (cost.n_features, cost.n_prompts, cost.n_answered) == (2, 4, 0) and model.n_calls == 0
    assert cost.money == pytest.approx((cost.n_tokens_in * 2 + cost.n_tokens_out * 10) / 1e6)
    assert cost.most is not None and cost.most > cost.money
    assert f"{cost.money:,.2f} by the prices given" in "\n".join(cost.lines())
    assert state(root) == before
    report = run(root, model, 0, 5)
    sent = sum(len(m["content"]) for r in model.requests for m in worded.asked(r)["messages"])
    assert report.n_sent == cost.n_prompts and cost.n_tokens_in * 2 == pytest.approx(sent, rel=0.1)


def test_a_dry_run_shows_a_prompt_and_sends_nothing(root: Path, model: Model) -> None:
    before = files_of(root)
    found = interpret(
        root, SAE, model="m", base_url=model.url, confirm=lambda cost: True, features=[0], dry_run=True
    )
    assert isinstance(found, DryRun) and model.n_calls == 0 and files_of(root) == before
    assert "BEGIN DATA" in found.lines() and "nothing was sent" in found.lines()
    done = called(root, "interpret", "--sae", SAE, "--model", "m", "--dry-run", "--sample", "2")
    assert done.returncode == 0 and "2 features; 4 prompts to m at https://api.openai.com/v1" in done.stdout


def test_without_a_terminal_nothing_is_sent_unless_it_is_wished(root: Path, model: Model) -> None:
    arguments = ("interpret", "--sae", SAE, "--model", "m", "--feature", "0")
    done = called(root, *arguments, OPENAI_BASE_URL=model.url)
    assert (done.returncode, done.stdout, model.n_calls) == (2, "", 0)
    assert "2 prompts to m" in done.stderr and "give --yes" in done.stderr
    done = called(root, *arguments, "--yes", OPENAI_BASE_URL=model.url)
    assert done.returncode == 0 and "1 scored" in done.stdout and model.n_calls == 2
    again = interpret(root, SAE, model="m", base_url=model.url, confirm=lambda cost: False, features=[0])
    assert isinstance(again, InterpretReport) and model.n_calls == 2  # all of it is answered


@pytest.mark.parametrize(("features", "more", "message"), [
    ([0, 2, 77], {}, "2 faults\n  - feature 2 is dead(.|\n)*has no feature 77"),
    ([0], {"base_url": "ftp://x"}, "no address"),
    ([0], {"model": "describe"}, "is not describe"),
    ([0], {"model": "two words"}, "without spaces"),
    ([0], {"price_in": 1.0}, "both --price-in and --price-out"),
    ([0], {"concurrency": 99}, "from 1 to 16"),
])  # fmt: skip
def test_bad_input_is_one_message_and_nothing_is_written(
    root: Path, model: Model, features: list[int], more: Row, message: str
) -> None:
    before = state(root)
    asked = {"model": "m", "base_url": model.url} | more
    with pytest.raises(InterplmError, match=message):
        interpret(root, SAE, confirm=lambda cost: True, features=features, **asked)
    assert state(root) == before and model.n_calls == 0


def test_an_endpoint_that_is_not_there_is_exit_code_1(root: Path) -> None:
    before = state(root)
    arguments = ("--model", "m", "--feature", "0", "--yes", "--base-url", "http://127.0.0.1:9/v1")
    done = called(root, "interpret", "--sae", SAE, *arguments)
    assert done.returncode == 1 and done.stdout == "" and "gives no answer" in done.stderr
    assert "Traceback" not in done.stderr and state(root) == before


def test_answers_are_kept_while_another_command_writes(root: Path, model: Model) -> None:
    with hold(root, command="build"), pytest.raises(LockedError, match="all answers are kept"):
        run(root, model)
    assert model.n_calls == 2 and not rows(root, "from interpretations")
    assert run(root, model).n_sent == 0 and words(root)["status"] == "scored"


def test_without_the_extra_it_is_named(built: Path, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(ModelError, match=r"pip install 'interplm-wh\[interpret\]'"):
        run(built, model)


def test_openai_itself_needs_a_key(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match=r"\$OPENAI_API_KEY is not set"):
        interpret(root, SAE, model="m", confirm=lambda cost: True, features=[0])


def test_an_unknown_sae_is_refused(root: Path, model: Model) -> None:
    with pytest.raises(NotThereError, match="no SAE"):
        interpret(root, "nothing", model="m", base_url=model.url, confirm=lambda cost: True)
