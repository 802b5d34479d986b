"""The feature's page has the words on it, with their score and where they came from."""

from __future__ import annotations

import shutil
from pathlib import Path

import hostile
import pytest
from streamlit.testing.v1 import AppTest

import interplm_wh
from interplm_wh import build, commands
from interplm_wh.dashboard import frame
from interplm_wh.interpret import interpret
from tests import worded
from tests.pages import opened, said
from tests.worded import SAE, completion, well

NASTY = " ".join(hostile.TEXTS[i] for i in (1, 6, 10, 11, 12))


@pytest.fixture(scope="module")
def root(worded_warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = shutil.copytree(worded_warehouse, tmp_path_factory.mktemp("page").resolve() / "w")
    commands.describe(path, SAE)
    with pytest.MonkeyPatch.context() as patch, worded.model() as model:
        patch.setenv("OPENAI_API_KEY", "sk-0123456789")
        model.answer = lambda request: (
            completion({"summary": NASTY[:120], "description": NASTY})
            if worded.is_describing(request)
            else well(request)
        )
        for feature, name in ((0, "<b>m</b>"), (5, "silent")):
            if name == "silent":
                model.answer = lambda request: completion("no")
            interpret(
                path, SAE, model=name, base_url=model.url, confirm=lambda cost: True, features=[feature]
            )
    commands.verdict(path, SAE, 0, verdict="spurious", source="describe", note=NASTY, judge="**me**")
    return path


def texts(app: AppTest) -> str:
    return "\n".join(str(part.value) for part in [*app.markdown, *app.caption])


def test_words_have_their_score_their_source_and_the_last_verdict(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(root, monkeypatch, "feature", sae=SAE, feature="0")
    with interplm_wh.open(root) as wh:
        rows = wh.sql("from feature_words($sae, 0)", {"sae": SAE}).to_pylist()
    assert len(rows) == 2
    for row in rows:
        text = texts(app)
        assert f"**{frame.plain(row['summary'])}**" in text and frame.plain(row["description"]) in text
        score = f"r {row['pearson_r']:.2f}, balanced accuracy {row['balanced_accuracy']:.2f}"
        assert f"On {row['n_scored']} proteins that were not shown: {score}" in text
    assert "From the tables alone" in texts(app) and f"Words of {frame.plain('<b>m</b>')}" in texts(app)
    assert f"Spurious by {frame.plain('**me**')}" in texts(app) and "Nobody has judged them yet" in texts(app)
    assert any("verdict worded 0 confirmed --source" in block.value for block in app.code)


def test_words_of_another_scale_are_said_to_be_older(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shutil.copytree(root, tmp_path / "w")
    with interplm_wh.open(path) as wh:
        scale = wh.sql("select max_activation from features order by feature")["max_activation"].to_numpy()
    build.scale(
        path,
        sae=SAE,
        source="more.fasta",
        scale_of_fasta=lambda fasta, name: (2 * scale, 3),
    )
    older = "They are older than the data"
    assert older in texts(opened(path, monkeypatch, "feature", sae=SAE, feature="0"))
    assert older not in texts(opened(root, monkeypatch, "feature", sae=SAE, feature="0"))


def test_no_word_of_a_model_is_read_as_markdown(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = texts(opened(root, monkeypatch, "feature", sae=SAE, feature="0"))
    left = text.replace(frame.plain(NASTY), "").replace(frame.plain(NASTY[:120]), "")
    assert left != text
    for piece in (NASTY, NASTY[:120], "<b>m</b>", "**me**", "onerror", "![x]", ":material", "evil.example"):
        assert piece not in left


def test_a_feature_without_words_names_the_commands(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(root, monkeypatch, "feature", sae=SAE, feature="3")
    commands_shown = " ".join(block.value for block in app.code)
    assert "describe --sae worded" in commands_shown and "--feature 3 --model MODEL" in commands_shown
    assert "proteins that were not shown: r" not in said(app)


def test_a_failure_says_why(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = texts(opened(root, monkeypatch, "feature", sae=SAE, feature="5"))
    assert "silent found no words: the answer is not JSON" in text and "prefers C" in text


def test_words_stay_when_proteins_go(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = shutil.copytree(root, tmp_path / "w")
    commands.remove_proteins(path, ["P0000"])
    assert "Motif" in texts(opened(path, monkeypatch, "feature", sae=SAE, feature="0"))
