"""Add an SAE to a warehouse: load it, check that it belongs to the layer, keep weights and identity."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interplm_wh import hub, names, store
from interplm_wh.errors import InputError, MismatchError
from interplm_wh.plm.shuffle import note_of
from interplm_wh.sae.add_report import AddSaeReport
from interplm_wh.sae.load import IDENTITY, LoadedSae, read_sae

if TYPE_CHECKING:
    from interplm_wh.encode.layer_check import LayerCheck
    from interplm_wh.plm.base import PLM
    from interplm_wh.sae.base import SAE
    from interplm_wh.sae.saved import SaeIdentity
    from interplm_wh.store import Transaction, Warehouse

_SAME = ("plm", "layer", "architecture", "d_model", "n_features", "k", "input_norm", "sha256")


def add_sae(
    warehouse: str | Path,
    source: str,
    *,
    name: str,
    plm: str,
    layer: int,
    file: str | None = None,
    k: int | None = None,
    force: bool = False,
    revision: str | None = None,
    device: str | None = None,
) -> AddSaeReport:
    """Add a sparse autoencoder, after checking that it belongs to the layer.

    Parameters
    ----------
    warehouse : str or Path
    source : str
        Hub id, folder or file in one of the formats of docs/saes.md, or ``identity``.
    name : str
        Name in the warehouse.
    plm : str
        Hub id or local folder of the PLM, or the name of one that is registered.
    layer : int
        Index of the hidden state, 0 to the number of layers.
    file : str, optional
        File or folder in the source, for instance ``ae_unnormalized.pt``.
    k : int, optional
        Active features per residue, for a format that does not store it.
    force : bool
        Take the SAE although it explains another layer better; recorded.
    revision : str, optional
        Revision of the source on the hub.
    device : str, optional

    Raises
    ------
    InputError
        If the name cannot be used or belongs to another SAE.
    ModelError
        If a model cannot be loaded.
    MismatchError
        If width or layer do not fit the PLM.
    """
    from interplm_wh.encode.models import open_source

    with store.open(warehouse) as wh:
        _check_name(name, wh.sql("select sae from saes")["sae"].to_pylist())
        model = open_source(wh, plm, device=device)
        loaded = read_sae(source, layer=layer, file=file, revision=revision, k=k, d_model=model.d_model)
        sae = loaded.sae
        _check_fit(sae, model, name=name, layer=layer)
        identity = _identity(sae, model, name=name, layer=layer, source=source, file=file)
        if _is_there(_row(wh.sql("select * from saes where sae = ?", [name]).to_pylist()), identity):
            return _report(identity, loaded, None, is_forced=False, is_new=False)
        check = _check_layer(wh, sae, plm=model, layer=layer)
    is_forced = force and sae.architecture != IDENTITY and (check is None or not check.is_right)
    if check is not None and not is_forced:
        check.require(name)
    if check is not None:
        check.warn(name)
    is_new = _register(warehouse, identity, loaded, model, check, is_forced=is_forced)
    return _report(identity, loaded, check, is_forced=is_forced, is_new=is_new)


def _report(
    identity: SaeIdentity, loaded: LoadedSae, check: LayerCheck | None, *, is_forced: bool, is_new: bool
) -> AddSaeReport:
    return AddSaeReport(
        sae=identity.sae,
        plm=identity.plm,
        layer=identity.layer,
        d_model=identity.d_model,
        n_features=identity.n_features,
        architecture=identity.architecture,
        k=identity.k,
        format=loaded.format,
        kind=loaded.kind,
        notes=(*loaded.notes, *(f"assumed: {text}" for text in loaded.assumed)),
        has_scale=loaded.sae.checkpoint_scale is not None,
        check=check,
        is_forced=is_forced,
        is_new=is_new,
    )


def _check_name(name: str, existing: list[str]) -> None:
    names.check_sae_name(name, existing)


def _check_fit(sae: SAE, plm: PLM, *, name: str, layer: int) -> None:
    plm.check_layers([layer])
    if sae.d_model != plm.d_model:
        raise MismatchError(
            f"{name}: the SAE reads hidden states of width {sae.d_model}, {plm.name} has {plm.d_model}; "
            "give the PLM that it was trained on"
        )


def _identity(sae: SAE, plm: PLM, *, name: str, layer: int, source: str, file: str | None) -> SaeIdentity:
    from interplm_wh.sae.saved import identify

    is_path = source != IDENTITY and hub.is_local(source)
    place = str(Path(source).expanduser().resolve()) if is_path else source
    return identify(sae, name=name, plm=plm.name, layer=layer, source=place, file=file)


def _row(rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    return rows[0] if rows else None


def _is_there(row: dict[str, Any] | None, identity: SaeIdentity) -> bool:
    """Whether the same SAE is registered under the name.

    Raises
    ------
    InputError
        If another one is.
    """
    if row is None:
        return False
    mine = asdict(identity)
    other = [f"{key} {row[key]!r}, not {mine[key]!r}" for key in _SAME if row[key] != mine[key]]
    if other:
        raise InputError(
            f"{identity.sae}: another SAE has this name ({'; '.join(other)}); "
            f"choose another name, or remove it first: interplm-wh remove sae {identity.sae}"
        )
    return True


def _check_layer(wh: Warehouse, sae: SAE, *, plm: PLM, layer: int) -> LayerCheck | None:
    from interplm_wh.encode.layer_check import PROTEINS_SQL, check_layer

    rows = wh.sql(PROTEINS_SQL).to_pylist()
    if not rows or sae.architecture == IDENTITY:
        return None
    sequences = {row["accession"]: row["sequence"] for row in rows}
    plm.check_letters(sequences)
    return check_layer(plm, sae.to(plm.device), layer=layer, sequences=list(sequences.values()))


def _register(
    warehouse: str | Path,
    identity: SaeIdentity,
    loaded: LoadedSae,
    plm: PLM,
    check: LayerCheck | None,
    *,
    is_forced: bool,
) -> bool:
    """Write rows and weights under the lock; False where the same SAE came in between."""
    from interplm_wh.encode.layer_check import save_check
    from interplm_wh.encode.models import sae_folder
    from interplm_wh.sae.saved import save_sae

    settings = {**asdict(identity), "format": loaded.format, "is_forced": is_forced}
    with store.write(warehouse, command="add sae", settings=settings) as tx:
        rows = tx.con.sql("from saes").to_arrow_table().to_pylist()
        _check_name(identity.sae, [row["sae"] for row in rows])
        if _is_there(_row([row for row in rows if row["sae"] == identity.sae]), identity):
            return False
        folder = sae_folder(tx.root, identity.sae)
        save_sae(folder, loaded.sae, identity=identity)
        if check is not None:
            save_check(folder, check)
        insert(tx, identity, plm, is_forced=is_forced)
        tx.publish()
    return True


def insert(tx: Transaction, identity: SaeIdentity, plm: PLM, *, is_forced: bool) -> None:
    """Write the rows of an SAE and of its PLM into the working copy."""
    tx.con.execute(
        "insert into plms by name select $plm as plm, $source as source, $revision as revision, "
        '$d_model::integer as d_model, $n_layers::integer as n_layers, $window::integer as "window", '
        "$shuffled_from as shuffled_from "
        "where not exists (from plms where plm = $plm)",
        {
            "plm": plm.name,
            "source": plm.source,
            "revision": plm.revision,
            "d_model": plm.d_model,
            "n_layers": plm.n_layers,
            "window": plm.window,
            "shuffled_from": note_of(plm.source),
        },
    )
    values = {key: value for key, value in asdict(identity).items() if key != "file"}
    columns = ", ".join(f"${key} as {key}" for key in values)
    tx.con.execute(
        f"insert into saes by name select {columns}, 0::double as min_value, $is_forced as is_forced",
        {**values, "is_forced": is_forced},
    )
