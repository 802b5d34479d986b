"""What every page has around it: the warehouse, the SAE that is looked at, and news of a newer publish."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import polars as pl
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig
from streamlit.navigation.page import StreamlitPage

from interplm_wh.controls.kinds import RULES, TITLES
from interplm_wh.dashboard.reading import Reader
from interplm_wh.errors import InterplmError

_FRAME = "frame"
_REFUSED = "refused"
"""What the address named that is not there, until the page has said so."""
EXAMPLES_OF = "examples_of"
"""Of the session: the proteins that the page showed last."""
ACTIVATION_COLUMNS: dict[str, ColumnConfig | str | None] = {
    "activation": st.column_config.ProgressColumn(
        "activation", min_value=0, max_value=1, format="%.3f", color="blue"
    ),
    "n_residues": st.column_config.NumberColumn("residues with it", format="localized"),
    "amino_acid": "amino acid",
}
ADD_SAE = "add sae SOURCE --name NAME --plm PLM --layer LAYER"
_WHOLE = ("feature", "residue")
"""What of an address is a whole number."""
_MARKUP = "\\`*_{}[]()<>#+-.!|~$:&="
# What Streamlit and GitHub's Markdown look for in the text that is left, escaped or not: links without
# brackets, icons, and arrows that are typed. Nothing that is coloured red, put after the first letter of
# it, tells them apart and is not seen; Streamlit proposes it for this.
_READ_LATER = re.compile(
    r"\\:(?=//|material|streamlit|[\w+\\-]+:)|www(?=\\\.)|@|\\[-<>~](?=\\[-=>])", re.IGNORECASE
)
_NOTHING = ":red[]"
_LOOK_EVERY = 10.0  # seconds


@dataclass(frozen=True)
class Frame:
    """What a page is drawn with.

    Attributes
    ----------
    reader : Reader
    pages : mapping of str to StreamlitPage
        By address.
    sae : dict or None
        The row of the SAE that is looked at; None where none is built.
    """

    reader: Reader
    pages: Mapping[str, StreamlitPage]
    sae: dict[str, Any] | None

    @property
    def sae_name(self) -> str:
        """Name of the SAE, as an argument of a command."""
        return shlex.quote(self.sae["sae"]) if self.sae else "NAME"

    def go(self, address: str, values: Mapping[str, Any]) -> None:
        """Open another page with these values in its address."""
        st.session_state.pop(EXAMPLES_OF, None)
        st.switch_page(self.pages[address], query_params={name: str(v) for name, v in values.items()})


def begin(root: Path, pages: Mapping[str, StreamlitPage]) -> None:
    """Draw what is around the pages; `current` then gives it to the page.

    The SAE is chosen here and not by a page, so that the choice holds from one page to the next.
    """
    _drop_infinite()
    refused = st.session_state.pop(_REFUSED, None)
    if refused:
        _not_there(refused)
    reader = Reader(root)
    with st.sidebar:
        st.caption("Warehouse")
        st.markdown(f"**{plain(root.name)}**")
        sae = _choose_sae(reader)
        st.session_state[_FRAME] = Frame(reader, pages, sae)
        _news()
        st.caption("At the upper right corner of each chart and table: full screen, download as PNG or CSV.")


def _drop_infinite() -> None:
    """Forget numbers of the address that Streamlit takes and cannot make whole: 1e400, inf."""
    infinite = [name for name in _WHOLE if _is_infinite(st.query_params.get(name, "0"))]
    for name in infinite:
        del st.query_params[name]
    if infinite:
        st.rerun()  # what this run was asked with is kept by Streamlit until the next one


def _is_infinite(text: str) -> bool:
    try:
        return math.isinf(float(text))
    except ValueError:  # no number: Streamlit leaves it out
        return False


def refuse(name: str, what: str, *, instead: Any) -> None:
    """Say that a value is not there, and take another.

    Parameters
    ----------
    name : str
        Of the value, in the address and in Streamlit's state.
    what : str
        What is not there, as Markdown.
    instead : object
        What the widget has from now on; of an address that was just opened, what it has by itself.
    """
    if name in st.session_state:  # Streamlit lets nobody else change what a widget put into the address
        st.session_state[name] = instead
        _not_there(what)
        return
    del st.query_params[name]
    st.session_state[_REFUSED] = what
    st.rerun()


def _not_there(what: str) -> None:
    st.warning(what, icon=":material/search_off:")


def follow(name: str, default: Any) -> None:
    """Let a widget that stands where it stood by itself go on to a new default.

    The address holds only what was chosen otherwise: opened again, it would show the new default.
    """
    before = f"{name} by itself"
    if name in st.session_state and st.session_state[name] == st.session_state.get(before, default):
        st.session_state[name] = default
    st.session_state[before] = default


def current() -> Frame:
    """Return the frame of this run."""
    found: Frame = st.session_state[_FRAME]
    return found


def is_dark() -> bool:
    """Whether the page is dark."""
    return st.context.theme.type == "dark"


def picked_row(
    rows: pl.DataFrame,
    *,
    key: str,
    alt: str,
    columns: Mapping[str, Any] = MappingProxyType({}),
    height: int | Literal["auto"] = "auto",
) -> dict[str, Any] | None:
    """Draw a table of which one row can be chosen, and return that row."""
    event = st.dataframe(
        rows.with_columns(pl.col(pl.String).fill_null("")),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key=key,
        alt=alt,
        height=height,
        column_config=dict(columns),
    )
    chosen = event.selection.rows
    # What was chosen may belong to rows that are no longer there.
    return rows.row(chosen[0], named=True) if chosen and chosen[0] < len(rows) else None


def _choose_sae(reader: Reader) -> dict[str, Any] | None:
    by_name = {row["sae"]: row for row in reader.ask("built_saes").to_dicts()}
    if not by_name:
        return None
    name = st.selectbox(
        "SAE",
        list(by_name),
        key="sae",
        bind="query-params",
        help="Sparse autoencoder: it rewrites each residue's hidden state as a few active features.",
    )
    row: dict[str, Any] = by_name[name]
    st.caption(origin(row))
    return row


def origin(sae: Mapping[str, Any]) -> str:
    """Return, as Markdown, what an SAE is and of which PLM, where that is known."""
    if sae["architecture"] in RULES:
        return f"control: {TITLES[sae['role']]}"
    if sae["plm"] is None:
        return f"{plain(sae['architecture'])}: activations made elsewhere"
    return f"{plain(sae['architecture'])}, layer {sae['layer']} of {plain(sae['plm'])}"


def no_sae() -> None:
    """Say that no SAE has results yet, and which commands are left to be run."""
    reader = current().reader
    (counts,) = reader.ask("warehouse_counts").to_dicts()
    saes = reader.ask("encoded_saes").to_dicts()
    steps = [] if counts["n_proteins"] else ["add proteins FILE"]
    steps += [] if counts["n_annotations"] else ["add annotations FILE"]
    steps += [f"encode --sae {shlex.quote(row['sae'])}" for row in saes if not row["is_encoded"]]
    steps += [] if saes else [ADD_SAE, "encode --sae NAME"]
    nothing_yet("There is no SAE with results yet.", [*steps, "build"])


def controls_command(sae: Mapping[str, Any]) -> str:
    """Return the command that makes an SAE's controls, as far as they can be made."""
    return f"controls {shlex.quote(sae['sae'])}"


def nothing_yet(what: str, commands: list[str]) -> None:
    """Say what is missing, as Markdown, and the commands that make it."""
    st.info(what, icon=":material/info:")
    st.markdown("Run in a terminal:")
    command(*commands)


def command(*commands: str) -> None:
    """Show commands for this warehouse, to be copied."""
    command_for(current().reader.path, *commands)


def command_for(path: Path, *commands: str) -> None:
    """Show commands for the warehouse at a path, to be copied."""
    where = shlex.quote(_from_here(path))
    st.code(
        "\n".join(f"interplm-wh -w {where} {words}" for words in commands), language="sh", wrap_lines=True
    )


def _from_here(path: Path) -> str:
    """Return a path as it is typed in the folder where the server was started."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


@st.fragment(run_every=_LOOK_EVERY)
def _news() -> None:
    warehouse = current().reader.warehouse
    try:
        is_outdated = warehouse.is_outdated
    except InterplmError as error:
        st.error(plain_lines(str(error)))
        return
    if is_outdated and st.button("There is newer data: load it", icon=":material/refresh:"):
        warehouse.refresh()
        st.rerun()


def counted(n: int, what: str) -> str:
    """Return a number of things, such as '1 row' and '2,000 rows'."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def plain(text: str) -> str:
    """Return text as Markdown that shows it as it is, on one line, and makes nothing of it."""
    escaped = "".join(f"\\{c}" if c in _MARKUP else c for c in " ".join(text.split()))
    return _READ_LATER.sub(rf"\g<0>{_NOTHING}", escaped)


def plain_lines(text: str) -> str:
    """Return text of several lines as `plain` does each of them."""
    return "  \n".join(plain(line) for line in text.splitlines() if line.strip())
