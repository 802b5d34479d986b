"""Steering on the page of a feature: what happens when it is set, by dose."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from interplm_wh.dashboard import frame
from interplm_wh.dashboard.charts.steering import by_dose

GIVEN = "a given sequence"
_CURVE = "from steering_curve($sae, $feature)"
_MASKS = {"each": "each residue masked in turn", "none": "nothing masked"}


def show(values: dict[str, Any]) -> None:
    """Draw the dose-response of one feature.

    Parameters
    ----------
    values : dict
        `sae` and `feature`.
    """
    st.header("What happens when it is set")
    rows = frame.current().reader.rows(_CURVE, values)
    if not len(rows):
        st.caption("It was not steered yet. In a terminal, for a protein of the warehouse:")
        feature, sae = values["feature"], frame.current().sae_name
        frame.command(f"steer --sae {sae} --feature {feature} --clamp 0,0.5,1,2 --protein ACCESSION")
        return
    runs = rows["run"].unique(maintain_order=True).to_list()
    run = runs[0]
    if len(runs) > 1:
        run = st.selectbox("Run of this feature", runs, key="run_of_feature", help="The newest first.") or run
    curve(rows.filter(pl.col("run") == run))
    if st.button("Open the run", icon=":material/open_in_new:"):
        frame.current().go("steering", {"run": run})


def curve(rows: pl.DataFrame) -> None:
    """Draw the dose-response of one run, rows of `steering_curve`, and say how to read it."""
    first = rows.row(0, named=True)
    where = f"{frame.plain(first['accession'] or GIVEN)}, set at {first['positions']}"
    said = f"On {where}; {_MASKS[first['mask']]}."
    st.markdown(f"{said} {_among_controls(rows)}".strip())
    sides = rows.partition_by("is_touched", maintain_order=True)
    for column, side in zip(st.columns(len(sides)), sides, strict=True):
        name = "edited" if side["is_touched"][0] else "not edited"
        column.markdown(f"**Positions that were {name}**")
        column.altair_chart(
            by_dose(side), alt=f"Divergence of the predictions at positions that were {name}, beside controls"
        )
    watched = rows["n_watched"].drop_nulls()
    if len(watched):
        n_controls = rows["n_controls"].drop_nulls()[0]
        line = "dashed" if rows["dose"].n_unique() > 1 else "the line"
        st.caption(
            f"Mean over the positions at which controls were compared. Band: where nine of ten of "
            f"{n_controls:,} controls lie, other live features moved as far; {line}: their median."
        )
    else:
        st.caption("Mean over all measured positions. Without controls, nothing says how much that is.")


def _among_controls(rows: pl.DataFrame) -> str:
    """Say where the strongest dose stands among controls at positions that were not edited."""
    beside = rows.filter(~pl.col("is_touched"), pl.col("kl_percentile").is_not_null()).sort("dose")
    if not len(beside):
        return ""
    last = beside.row(-1, named=True)
    return (
        f"At dose {last['dose']:g} it changes what is predicted at positions that were **not** edited more "
        f"than **{last['kl_percentile']:.0f} %** of the controls do."
    )
