"""Write the reference pages of `docs/` from what they describe: commands, tables, questions.

``python -m interplm_wh.docs`` writes them; a test holds that they are not stale.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from interplm_wh import schema, sqlfile
from interplm_wh.cli import cli

_STORAGE = {
    "catalogue": "table in `warehouse.duckdb`",
    "lake": "Parquet in `lake/{name}/`",
    "sae": "Parquet in `lake/{name}/sae=NAME/`",
    "view": "view",
}
_WIDTH = 98  # of a help text in a wide terminal


def _commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    for name in sorted(group.commands):
        command = group.commands[name]
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path} {name}")


def cli_page() -> str:
    """Return the reference of the command line, made from its help texts."""
    lines = ["# Commands", "", "Made from `--help`; do not edit.", ""]
    for path, command in [("interplm-wh", cli), *_commands(cli, "interplm-wh")]:
        with click.Context(command, info_name=path, terminal_width=_WIDTH, **cli.context_settings) as context:
            lines += [f"## `{path}`", "", "```text", command.get_help(context), "```", ""]
    return "\n".join(lines)


def _range(column: schema.Column) -> str:
    words = []
    if column.values:
        words.append(" ".join(f"`{v}`" for v in column.values))
    if column.min is not None:
        words.append(f"≥ {column.min}")
    if column.above is not None:
        words.append(f"> {column.above}")
    if column.max is not None:
        words.append(f"≤ {column.max}")
    if column.references:
        words.append(f"→ `{column.references}`")
    return ", ".join(words)


def _row(column: schema.Column) -> str:
    null = "yes" if column.nullable else ""
    meaning = column.comment.replace("|", "&#124;")
    return f"| `{column.name}` | {column.sql_type} | {null} | {_range(column)} | {meaning} |"


def tables_page() -> str:
    """Return the data dictionary, made from `schemas/`."""
    lines = ["# Tables", "", "Made from `schemas/`; do not edit.", ""]
    lasting = {name: table for name, table in schema.tables().items() if table.storage in _STORAGE}
    lines += [f"- [`{name}`](#{name}): {table.what}" for name, table in lasting.items()]
    for name, table in lasting.items():
        where = _STORAGE[table.storage].format(name=name)
        grain = ", ".join(table.grain)
        lines += ["", f"## `{name}`", "", f"{table.what} Grain: {grain}. Kept as {where}.", ""]
        lines += ["| column | type | NULL | range | meaning |", "|---|---|---|---|---|"]
        lines += [_row(column) for column in table.columns]
    return "\n".join([*lines, ""])


def questions_page() -> str:
    """Return the page of ready questions, made from `sql/cookbook/` and `sql/macros/`."""
    lines = ["# Questions", "", "Made from `sql/cookbook/` and `sql/macros/`; do not edit.", ""]
    lines += [
        "Each runs as it stands in `interplm-wh shell`, in `interplm-wh query`, in the plain `duckdb` shell",
        "(inside the warehouse: `duckdb -readonly warehouse.duckdb`; without `-readonly` it would lock",
        "everybody else out), and from Python with `interplm_wh.open(path).sql(…)`. They are written for the",
        "warehouse that `make demo` builds; put your own names in.",
        "",
    ]
    for file in sqlfile.load_folder("cookbook").values():
        lines += [f"## {file.what}", "", "```sql", f"{file.sql};", "```", ""]
    lines += ["# Table macros", ""]
    for name, file in sqlfile.load_folder("macros").items():
        params = ", ".join(p.name if p.default is None else f"{p.name} := {p.default}" for p in file.params)
        lines += [f"- `{name}({params})`: {file.what}"]
    return "\n".join([*lines, ""])


def pages() -> dict[str, str]:
    """Return every generated page by its file name."""
    return {"cli.md": cli_page(), "tables.md": tables_page(), "questions.md": questions_page()}


def write(folder: Path) -> None:
    """Write every generated page into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(__file__).resolve().parents[1] / "docs")
