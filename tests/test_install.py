"""The wheel works by itself, from any folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the package as its wheel unpacks, without the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder / "dist"), str(CHECKOUT)]
    subprocess.run([sys.executable, *build], check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder / "site"), str(wheel)]
    subprocess.run([sys.executable, *install], check=True, capture_output=True)
    return folder / "site"


def run(installed: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd, env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_wheel_carries_its_resources(installed: Path, tmp_path: Path) -> None:
    script = (
        "import interplm_wh\nprint(interplm_wh.__file__)\n"
        "from interplm_wh import resources, schema, sqlfile\n"
        "print(*[resources.folder(name) for name in resources.FOLDERS], sep='\\n')\n"
        "print(len(schema.tables()), len(sqlfile.load_folder('marts')))"
    )
    done = run(installed, "-c", script, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    *places, counts = done.stdout.splitlines()
    assert all(place.startswith(str(installed)) for place in places)
    n_schemas = len(list((CHECKOUT / "schemas").glob("*.yaml")))
    n_marts = len(list((CHECKOUT / "sql/marts").glob("*.sql")))
    assert counts == f"{n_schemas} {n_marts}"
    viewer = CHECKOUT / "interplm_wh" / "dashboard" / "structure"
    for name in ("viewer.html", "viewer.js"):
        carried = installed / "interplm_wh" / "dashboard" / "structure" / name
        assert carried.read_bytes() == (viewer / name).read_bytes()


def test_the_wheel_works_from_another_folder(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "two.fasta").write_text(">A\nMKV\n>B\nMKL\n")
    cli = ("-m", "interplm_wh", "-w", "w")
    for arguments in (("init",), ("add", "proteins", "two.fasta"), ("build",), ("verify",)):
        done = run(installed, *cli, *arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    asked = run(
        installed, *cli, "query", "select count(*) as n from residues", "--format", "csv", cwd=tmp_path
    )
    assert asked.stdout == '"n"\n6\n'


def test_the_demo_models_are_in_the_wheel_and_are_small(installed: Path) -> None:
    assets = installed / "interplm_wh" / "demo" / "assets"
    sizes = [path.stat().st_size for path in assets.rglob("*") if path.is_file()]
    assert sizes
    assert sum(sizes) <= 4 * 2**20


def test_nothing_in_the_wheel_names_this_machine(installed: Path) -> None:
    home = str(Path.home())
    for path in installed.rglob("*"):
        if path.suffix in {".py", ".sql", ".yaml", ".json", ".md"}:
            text = path.read_text(encoding="utf-8")
            assert str(CHECKOUT) not in text, path
            assert f"{home}/" not in text, path
