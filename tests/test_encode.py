"""Encoding: what is stored, in which parts, and what is refused."""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file, save_file

from interplm_wh import store
from interplm_wh.ask import verify
from interplm_wh.encode import blocks as blocks_module
from interplm_wh.encode import encode, part, register, scale_from_fasta, shard
from interplm_wh.encode.blocks import blocks
from interplm_wh.encode.encoder import Settings
from interplm_wh.encode.job import Job
from interplm_wh.encode.keep import Plan
from interplm_wh.encode.part import Proteins, write_part
from interplm_wh.encode.work import open_work
from interplm_wh.errors import CheckError, EncodingError, InputError, MismatchError, NotThereError
from interplm_wh.ingest.activations import add_activations
from interplm_wh.ingest.proteins import add_proteins
from interplm_wh.plm import load_plm
from interplm_wh.sae import add_sae, load_sae
from interplm_wh.sae.sparse import SparseRows
from interplm_wh.store import lock
from tests.tiny_models import make_plm, make_sae, part_digests, sequence, some_proteins, write_fasta


@pytest.fixture(scope="module")
def plm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_plm(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def relu(plm: Path) -> Path:
    return make_sae(plm.parent / "sae" / "ae.pt", plm, layer=1)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks_module, "BLOCK_PROTEINS", 4)
    monkeypatch.setattr(blocks_module, "BLOCK_RESIDUES", 120)


def fill(warehouse: Path, proteins: dict[str, str]) -> None:
    """Add proteins."""
    add_proteins(warehouse, [write_fasta(warehouse.parent / f"{len(proteins)}.fasta", proteins)])


def both(warehouse: Path, plm: Path, relu: Path) -> None:
    """Add a ReLU SAE of layer 1 and the neurons of layer 2."""
    add_sae(warehouse, str(relu), name="relu", plm=str(plm), layer=1, device="cpu")
    add_sae(warehouse, "identity", name="neurons", plm=str(plm), layer=2, device="cpu")


def rows(warehouse: Path, sql: str) -> list[tuple[object, ...]]:
    """Run a query on a published warehouse."""
    with store.open(warehouse) as wh:
        return wh.con.execute(sql).fetchall()


def stored(warehouse: Path, sae: str) -> dict[tuple[str, int, int], float]:
    """All activations of an SAE."""
    found = rows(
        warehouse,
        "select accession, position, feature, value from activations join proteins using (protein_id) "
        f"where sae = '{sae}'",
    )
    return {(a, p, f): v for a, p, f, v in found}  # type: ignore[misc]


# -- blocks ------------------------------------------------------------------------------------------


def test_blocks_hold_32768_residues_however_many_proteins_and_a_longer_protein_stands_alone() -> None:
    assert [(b.start, b.stop) for b in blocks([10] * 6000)] == [(0, 3276), (3276, 6000)]
    assert [(b.start, b.stop) for b in blocks([1] * 5000)] == [(0, 4096), (4096, 5000)]
    assert [(b.start, b.stop) for b in blocks([30_000, 2768, 1])] == [(0, 2), (2, 3)]
    assert [(b.start, b.stop) for b in blocks([5, 40_000, 5])] == [(0, 1), (1, 2), (2, 3)]
    assert blocks([]) == []


def test_appended_proteins_move_no_boundary() -> None:
    lengths = np.random.default_rng(3).integers(1, 3000, 900).tolist()
    whole = blocks(lengths)
    for n in (1, 100, 555, 899):
        assert blocks(lengths[:n])[:-1] == whole[: len(blocks(lengths[:n])) - 1]


# -- what is stored ----------------------------------------------------------------------------------


def test_the_reference_activations_are_found(golden: Path, tmp_path: Path) -> None:
    warehouse = store.init(tmp_path / "warehouse")
    add_proteins(warehouse, [golden / "proteins.csv.gz"])
    add_sae(
        warehouse,
        str(golden / "interplm_checkpoint"),
        name="relu",
        plm=str(golden / "tiny_esm"),
        layer=3,
        device="cpu",
    )
    report = encode(warehouse, ["relu"], device="cpu")
    assert report.saes[0].n_proteins == 300
    with store.open(warehouse) as wh:
        compared = wh.con.execute(
            "with ours as (select accession, position, feature, value from activations "
            "join proteins using (protein_id)), "
            f"theirs as (from read_parquet('{golden}/activations.parquet')) "
            "select max(abs(coalesce(o.value, 0) - coalesce(t.value, 0))), count(*) "
            "from ours as o full join theirs as t using (accession, position, feature)"
        ).fetchone()
    assert compared is not None
    difference, n_rows = compared  # a row that one of the two lacks counts as 0
    assert difference < 5e-5  # hidden states agree within 3e-6, a feature sums 64 of them
    assert n_rows > 500_000


@pytest.mark.usefixtures("small_blocks")
def test_every_positive_value_is_stored_once_and_long_proteins_whole(
    warehouse: Path, plm: Path, relu: Path
) -> None:
    proteins = some_proteins(9) | {"LONG": sequence(300, 9), "SHORT": "M"}
    fill(warehouse, proteins)
    both(warehouse, plm, relu)
    report = encode(warehouse, ["relu", "neurons"], device="cpu")
    model, sae = load_plm(str(plm), device="cpu"), load_sae(str(relu))
    found = stored(warehouse, "relu")
    for name, text in proteins.items():
        dense = sae.encode(model.embed(text, 1)).numpy()
        mine = np.zeros_like(dense)
        for (accession, position, feature), value in found.items():
            if accession == name:
                mine[position - 1, feature] = value
        np.testing.assert_allclose(mine, dense, atol=1e-5)
    encoded = rows(
        warehouse,
        "select e.sae, p.accession, e.n_residues, e.n_activations, e.dtype, e.is_halved, e.package_version, "
        "(select count(*) from activations as a where a.sae = e.sae and a.protein_id = e.protein_id), "
        "(select count(*) from parts where path = e.part and table_name = 'activations') "
        "from encodings as e join proteins as p using (protein_id)",
    )
    assert len(encoded) == 22
    for _, accession, n_residues, n_activations, dtype, is_halved, version, n_rows, n_parts in encoded:
        assert n_residues == len(proteins[str(accession)])
        assert (n_activations, n_parts) == (n_rows, 1)
        assert (dtype, is_halved, version) == ("float32", False, "0.1.0")
    assert [s.n_activations for s in report.saes] == [len(found), len(stored(warehouse, "neurons"))]
    assert verify(warehouse).is_sound
    assert any("residues/s on cpu in float32" in line for line in report.lines())


@pytest.mark.usefixtures("small_blocks")
def test_parts_are_in_the_order_protein_feature_position(warehouse: Path, plm: Path, relu: Path) -> None:
    fill(warehouse, some_proteins(6))
    both(warehouse, plm, relu)
    encode(warehouse, ["neurons"], device="cpu")
    for path in (warehouse / "lake" / "activations").glob("sae=neurons/*/*.parquet"):
        table = pq.read_table(path, partitioning=None)
        assert table.column_names == ["protein_id", "position", "feature", "value"]
        keys = list(zip(*(table[c].to_pylist() for c in ("protein_id", "feature", "position")), strict=True))
        assert keys == sorted(set(keys))


@pytest.mark.usefixtures("small_blocks")
def test_saes_in_one_pass_give_the_bytes_that_they_give_alone(tmp_path: Path, plm: Path, relu: Path) -> None:
    together, apart = store.init(tmp_path / "a"), store.init(tmp_path / "b")
    for warehouse in (together, apart):
        fill(warehouse, some_proteins(11))
        both(warehouse, plm, relu)
    encode(together, ["relu", "neurons"], device="cpu")
    encode(apart, ["neurons"], device="cpu")
    encode(apart, ["relu"], device="cpu")
    for sae in ("relu", "neurons"):
        assert len(part_digests(together, sae)) > 2
        assert part_digests(together, sae) == part_digests(apart, sae)


@pytest.mark.usefixtures("small_blocks")
def test_appended_proteins_encode_only_themselves(warehouse: Path, plm: Path, relu: Path) -> None:
    fill(warehouse, some_proteins(10))
    both(warehouse, plm, relu)
    first = encode(warehouse, ["relu"], device="cpu")
    before = part_digests(warehouse, "relu")
    fill(warehouse, some_proteins(5, first=10))
    second = encode(warehouse, ["relu", "neurons"], device="cpu")
    after = part_digests(warehouse, "relu")
    assert [s.n_proteins for s in (*first.saes, *second.saes)] == [10, 5, 15]
    assert second.saes[0].n_present == 10
    assert {name: after[name] for name in before} == before
    assert sorted(set(after) - set(before))[0].startswith("00000010-")
    third = encode(warehouse, ["relu", "neurons"], device="cpu")
    assert third.lines()[-1] == "nothing was left to encode"
    assert part_digests(warehouse, "relu") == after
    assert verify(warehouse).is_sound


def test_encoding_nothing_is_no_error(warehouse: Path, plm: Path) -> None:
    add_sae(warehouse, "identity", name="neurons", plm=str(plm), layer=2, device="cpu")
    assert encode(warehouse, ["neurons"]).saes[0].n_proteins == 0


def test_min_value_drops_what_is_not_above_it_and_is_kept_for_later_runs(warehouse: Path, plm: Path) -> None:
    fill(warehouse, some_proteins(3))
    for name in ("all", "some"):
        add_sae(warehouse, "identity", name=name, plm=str(plm), layer=2, device="cpu")
    encode(warehouse, ["all"], device="cpu")
    encode(warehouse, ["some"], device="cpu", min_value=0.5)
    expected = {key: value for key, value in stored(warehouse, "all").items() if value > 0.5}
    assert stored(warehouse, "some") == expected
    assert rows(warehouse, "select sae, min_value from saes order by sae") == [("all", 0.0), ("some", 0.5)]
    fill(warehouse, some_proteins(2, first=3))
    with pytest.raises(InputError, match=r"encoded already by some with 0\.5"):
        encode(warehouse, ["some"], device="cpu", min_value=0.1)
    assert encode(warehouse, ["some"], device="cpu").saes[0].n_proteins == 2
    assert min(stored(warehouse, "some").values()) > 0.5
    for bad in (-1.0, float("nan")):
        with pytest.raises(InputError, match="not below 0"):
            encode(warehouse, ["some"], min_value=bad)


def test_the_number_format_is_recorded(warehouse: Path, plm: Path) -> None:
    fill(warehouse, some_proteins(3))
    add_sae(warehouse, "identity", name="neurons", plm=str(plm), layer=2, device="cpu")
    encode(warehouse, ["neurons"], device="cpu", dtype="bfloat16")
    assert rows(warehouse, "select distinct dtype from encodings") == [("bfloat16",)]


def test_a_feature_that_never_fires_makes_an_empty_part_that_is_sound(
    warehouse: Path, plm: Path, tmp_path: Path
) -> None:
    weights = {
        "bias": torch.zeros(16),
        "encoder.weight": torch.zeros(4, 16),
        "encoder.bias": -torch.ones(4),
        "decoder.weight": torch.zeros(16, 4),
    }
    torch.save(weights, tmp_path / "dead.pt")
    fill(warehouse, some_proteins(3))
    add_sae(
        warehouse, str(tmp_path / "dead.pt"), name="dead", plm=str(plm), layer=1, device="cpu", force=True
    )
    encode(warehouse, ["dead"], device="cpu")
    assert rows(warehouse, "select sum(n_activations), count(*) from encodings") == [(0, 3)]
    assert verify(warehouse).is_sound


# -- the lock ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_blocks")
def test_encoding_goes_on_while_another_writes_and_registers_afterwards(
    warehouse: Path, plm: Path, relu: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(register, "INTERVAL_SECONDS", 0.0)
    fill(warehouse, some_proteins(12))
    both(warehouse, plm, relu)
    n_parts = len(blocks([len(text) for text in some_proteins(12).values()]))
    seen: list[int] = []

    def write() -> None:
        with lock.hold(warehouse / ".lock", "a long build"):
            held.set()
            for _ in range(600):
                seen.append(len(list((warehouse / ".staging").glob("**/*.parquet"))))
                if seen[-1] == n_parts:
                    break
                time.sleep(0.05)

    held = threading.Event()
    other = threading.Thread(target=write)
    other.start()
    held.wait()
    encode(warehouse, ["relu"], device="cpu")
    other.join()
    assert seen[-1] == n_parts
    assert rows(warehouse, "select count(*) from encodings") == [(12,)]


@pytest.mark.usefixtures("small_blocks")
def test_what_is_registered_on_the_way_gives_the_same_bytes(
    tmp_path: Path, plm: Path, relu: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    often, once = store.init(tmp_path / "a"), store.init(tmp_path / "b")
    for warehouse in (often, once):
        fill(warehouse, some_proteins(9))
        both(warehouse, plm, relu)
    encode(once, ["relu"], device="cpu")
    monkeypatch.setattr(register, "INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr(register, "INTERVAL_SHARE", 0.0)
    monkeypatch.setattr(register, "_SHARE", 1e9)
    encode(often, ["relu"], device="cpu")
    folders = rows(often, "select count(*) from folders where table_name = 'activations'")
    assert folders == [(len(part_digests(often, "relu")),)]
    assert part_digests(often, "relu") == part_digests(once, "relu")
    assert verify(often).is_sound


@pytest.mark.usefixtures("small_blocks")
def test_a_long_run_registers_less_often(
    warehouse: Path, plm: Path, relu: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(warehouse, some_proteins(9))
    both(warehouse, plm, relu)
    monkeypatch.setattr(register, "INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr(register, "_SHARE", 1e9)
    monkeypatch.setattr(register, "INTERVAL_SHARE", 1e6)
    encode(warehouse, ["relu"], device="cpu")
    assert len(part_digests(warehouse, "relu")) > 2
    # Nothing is old enough for a second publish before the last.
    assert rows(warehouse, "select count(*) <= 2 from folders where table_name = 'activations'") == [(True,)]


# -- what is refused ---------------------------------------------------------------------------------


def test_letters_that_the_model_does_not_know_are_refused_before_anything_is_encoded(
    warehouse: Path, plm: Path
) -> None:
    fill(warehouse, some_proteins(3) | {"ODD": "MKJT"})
    add_sae(warehouse, "identity", name="neurons", plm=str(plm), layer=2, device="cpu")
    with pytest.raises(InputError, match=r"ODD: unknown letter 'J' \(first at position 3\)"):
        encode(warehouse, ["neurons"], device="cpu")
    assert rows(warehouse, "select count(*) from encodings") == [(0,)]


def test_hidden_states_that_are_not_finite_are_refused(warehouse: Path, tmp_path: Path) -> None:
    broken = make_plm(tmp_path / "broken")
    tensors = load_file(broken / "model.safetensors")
    name = next(key for key in tensors if key.endswith("layer.1.output.dense.bias"))
    tensors[name][0] = torch.nan
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    fill(warehouse, some_proteins(3))
    add_sae(warehouse, "identity", name="early", plm=str(broken), layer=1, device="cpu")
    add_sae(warehouse, "identity", name="late", plm=str(broken), layer=2, device="cpu")
    assert encode(warehouse, ["early"], device="cpu").saes[0].n_proteins == 3
    with pytest.raises(EncodingError, match=r"hidden states of P0 at layer 2 are not finite \(position 1"):
        encode(warehouse, ["late"], device="cpu")
    assert rows(warehouse, "select distinct sae from encodings") == [("early",)]


def test_a_model_that_changed_since_it_was_registered_is_refused(warehouse: Path, tmp_path: Path) -> None:
    folder = make_plm(tmp_path / "model")
    fill(warehouse, some_proteins(3))
    add_sae(warehouse, "identity", name="neurons", plm=str(folder), layer=1, device="cpu")
    make_plm(folder, seed=1)
    with pytest.raises(MismatchError, match="as recorded"):
        encode(warehouse, ["neurons"], device="cpu")


def test_unknown_saes_are_named_with_the_nearest(warehouse: Path, plm: Path) -> None:
    add_sae(warehouse, "identity", name="neurons", plm=str(plm), layer=1, device="cpu")
    with pytest.raises(NotThereError, match="did you mean neurons"):
        encode(warehouse, ["neuron"])


def test_activations_that_were_made_elsewhere_cannot_be_encoded(warehouse: Path, tmp_path: Path) -> None:
    fill(warehouse, some_proteins(2))
    (tmp_path / "a.csv").write_text("accession,position,feature,value\nP0,1,0,1.5\n")
    add_activations(warehouse, tmp_path / "a.csv", sae="theirs", n_features=4)
    with pytest.raises(InputError, match="theirs: its activations were made elsewhere"):
        encode(warehouse, ["theirs"])


def test_parts_of_proteins_that_another_run_encoded_meanwhile_are_discarded(
    warehouse: Path, plm: Path
) -> None:
    fill(warehouse, some_proteins(3))
    add_sae(warehouse, "identity", name="neurons", plm=str(plm), layer=1, device="cpu")
    job = Job(warehouse, ("neurons",), Settings("float32", "cpu", 0.0, None), None, shard.WHOLE)
    with open_work(job) as work:
        # The same proteins in other parts, as of a run that began before the last of them was added.
        (group,) = work.groups["tiny", 0]
        part = replace(group, ids=group.ids[:2], lengths=group.lengths[:2])
        (outcome,) = replace(work, groups={("tiny", 0): [part]}).run(work.units())
        assert outcome.counted[0].n_proteins == 2
        mine = work.waiting["neurons"].entries()
        away = [shutil.move(entry, warehouse.parent / entry.name) for entry in mine]
        encode(warehouse, ["neurons"], device="cpu")
        before = part_digests(warehouse, "neurons")
        for entry in away:
            assert work.waiting["neurons"].put(Path(entry), Path(entry).name)
        registrar = register.Registrar(warehouse, work.staging, work.waiting, Plan(None, 3), 0.0, {})
        registrar.register(wait_seconds=0)
    assert registrar.discarded == {"neurons": 2}
    assert part_digests(warehouse, "neurons") == before
    assert verify(warehouse).is_sound


def test_a_part_that_is_not_what_was_written_is_refused(tmp_path: Path) -> None:
    proteins = Proteins(np.array([4, 7], np.int32), np.array([3, 5], np.int32))

    def chunk(protein: list[int], position: list[int], feature: list[int], value: list[float]) -> SparseRows:
        ints = (np.array(x, np.int32) for x in (protein, position, feature))
        return SparseRows(*ints, np.array(value, np.float32))

    good = chunk([0, 0, 1], [1, 3, 5], [0, 0, 2], [0.5, 1.0, 2.0])
    assert write_part(tmp_path / "good.parquet", proteins=proteins, chunks=iter([good])).tolist() == [2, 1]
    for bad in (
        chunk([0, 0], [1, 4], [0, 0], [1, 1]),
        chunk([0, 0], [3, 1], [0, 0], [1, 1]),
        chunk([0, 0], [1, 1], [2, 2], [1, 1]),
        chunk([0], [0], [0], [1]),
        chunk([1], [1], [0], [float("inf")]),
        chunk([1], [1], [0], [0.0]),
    ):
        with pytest.raises(CheckError, match="encode again"):
            write_part(tmp_path / "bad.parquet", proteins=proteins, chunks=iter([bad]))
    assert [p.name for p in tmp_path.iterdir()] == ["good.parquet"]


def test_row_groups_are_full_whatever_the_size_of_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part, "ROW_GROUP_ROWS", 10)
    proteins = Proteins(np.array([0], np.int32), np.array([100], np.int32))
    files = []
    for size in (1, 7, 64):
        chunks = [
            SparseRows(np.zeros(len(p), np.int32), p, np.zeros(len(p), np.int32), np.ones(len(p), np.float32))
            for p in np.array_split(np.arange(1, 65, dtype=np.int32), range(size, 64, size))
        ]
        write_part(tmp_path / f"{size}.parquet", proteins=proteins, chunks=iter(chunks))
        files.append((tmp_path / f"{size}.parquet").read_bytes())
    metadata = pq.read_metadata(tmp_path / "7.parquet")
    groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert groups == [10, 10, 10, 10, 10, 10, 4]
    assert files[0] == files[1] == files[2]


# -- the scale of a FASTA file -----------------------------------------------------------------------


def test_the_scale_of_a_fasta_file_is_the_maximum_over_its_proteins(
    warehouse: Path, plm: Path, relu: Path, tmp_path: Path
) -> None:
    proteins = some_proteins(7)
    fill(warehouse, proteins)
    both(warehouse, plm, relu)
    encode(warehouse, ["relu"], device="cpu")
    tidied = write_fasta(tmp_path / "x.fasta", {n: f"{t[:3].lower()} {t[3:]}*" for n, t in proteins.items()})
    maxima, n_proteins = scale_from_fasta(warehouse, tidied, sae="relu", device="cpu")
    expected = dict(rows(warehouse, "select feature, max(value) from activations group by feature"))
    assert (n_proteins, maxima.dtype, maxima.shape) == (7, np.float32, (20,))
    np.testing.assert_allclose(maxima, [expected.get(f, 0.0) for f in range(20)], atol=1e-5)
    odd = write_fasta(tmp_path / "odd.fasta", {"ODD": "MJ"})
    with pytest.raises(InputError, match=r"odd\.fasta: ODD: unknown letter 'J'"):
        scale_from_fasta(warehouse, odd, sae="relu", device="cpu")
    (tmp_path / "x.csv").write_text("accession,sequence\nP1,MK\n")
    with pytest.raises(InputError, match="is not FASTA"):
        scale_from_fasta(warehouse, tmp_path / "x.csv", sae="relu", device="cpu")
