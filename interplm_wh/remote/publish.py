"""Put a warehouse where others read it: files first, what names them last."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from interplm_wh import __version__, progress, store
from interplm_wh.errors import CheckError, InputError, LockedError, faults_message
from interplm_wh.remote import address, card, manifest
from interplm_wh.remote.address import Address
from interplm_wh.remote.choose import Chosen, choose
from interplm_wh.remote.manifest import Entry, Version
from interplm_wh.remote.place import MissingError, Place, Sent, open_place
from interplm_wh.remote.reader import versions_at
from interplm_wh.store import catalogue, files, layout, parts


@dataclass(frozen=True)
class PublishReport:
    """What `publish` did.

    Attributes
    ----------
    address : Address
    version : str
    is_new : bool
        Whether it is a new version; otherwise the newest one was the same.
    n_files, n_bytes : int
        Of the whole version.
    n_sent, n_sent_bytes : int
        What was sent this time; the rest was there.
    n_private : int
        Private proteins that were published, since they were asked for.
    left_out : tuple of str
        What stayed behind.
    """

    address: Address
    version: str
    is_new: bool
    n_files: int
    n_bytes: int
    n_sent: int
    n_sent_bytes: int
    n_private: int
    left_out: tuple[str, ...]

    def lines(self) -> list[str]:
        """Describe it for people."""
        size = f"{self.n_files:,} files, {self.n_bytes / 1e6:,.1f} MB"
        if not self.is_new:
            return [f"{self.address}: version {self.version} is the same ({size}); nothing was sent"]
        there = self.n_files - self.n_sent
        lines = [
            f"{self.address}: version {self.version} ({size}); sent {self.n_sent:,} files, "
            f"{self.n_sent_bytes / 1e6:,.1f} MB" + (f"; {there:,} were there" if there else ""),
            *(f"  left out: {what}" for what in self.left_out),
        ]
        if self.n_private:
            lines.append(f"  with {self.n_private:,} private proteins, as was asked for")
        return [*lines, f"ask it with: interplm-wh -w {self.address} query …"]


def publish(
    warehouse: str | Path, destination: str | Path, *, lake: bool = False, with_private: bool = False
) -> PublishReport:
    """Publish a warehouse: its tables, sequences, annotations, weights of SAEs, structures and a card.

    Each publish that changes something is a version of its own, which never changes. Files are shared by
    versions, and sent once: an interrupted publish goes on where it was cut off. What names a version is
    sent when all of it is there.

    Parameters
    ----------
    warehouse : str or Path
    destination : str or Path
        hf://ORG/NAME, s3://BUCKET/FOLDER, gs://BUCKET/FOLDER, or a folder.
    lake : bool
        Publish `activations` as well, which is most of the bytes.
    with_private : bool
        Publish private proteins as well, with all that is known of them.

    Raises
    ------
    InputError
        If there are private proteins that were not asked for, or nothing can be written there.
    CheckError
        If files of the warehouse are damaged.
    DownloadError
        If the place does not answer, or refuses.
    LockedError
        If another publish to it came first.
    """
    to = address.parse(destination)
    if to.version is not None:
        raise InputError(f"{to}: a version gets its name when it is published; give the address alone")
    with store.open(warehouse) as wh, tempfile.TemporaryDirectory() as folder:
        _refuse_warehouse(to)
        chosen = choose(wh, Path(folder), lake=lake, with_private=with_private)
        with closing(open_place(to, writing=True)) as place:
            return _publish(wh.path, chosen, place, Path(folder))


def _publish(root: Path, chosen: Chosen, place: Place, scratch: Path) -> PublishReport:
    to, digest, before = place.address, chosen.digest(), _versions(place)
    if before and before[-1].digest == digest:
        newest = before[-1]
        return PublishReport(
            to, newest.name, False, newest.n_files, newest.n_bytes, 0, 0, chosen.n_private, chosen.left_out
        )
    n_sent, n_sent_bytes = _send_missing(root, place, chosen)
    number = (before[-1].number if before else 0) + 1
    version, own = _own_files(root, chosen, number, digest, scratch)
    place.send(own, lambda _: None)
    if _versions(place) != before:
        raise LockedError(f"{to}: another publish came first; run the same command again")
    _send_last(place, [*before, version], own, scratch)
    return PublishReport(
        to, version.name, True, version.n_files, version.n_bytes, n_sent + 1,
        n_sent_bytes + version.n_bytes - sum(entry.n_bytes for entry in chosen.entries),
        chosen.n_private, chosen.left_out,
    )  # fmt: skip


def _refuse_warehouse(to: Address) -> None:
    folder = Path(to.where)
    if to.scheme != "file" or (folder / address.POINTER).is_file() or not folder.exists():
        return
    known = {manifest.VERSIONS, "lake", "saes", "structures"}
    if not folder.is_dir() or any(path.name not in known for path in folder.iterdir()):
        raise InputError(f"{folder} holds something else; give another folder, or one that does not exist")


def _versions(place: Place) -> tuple[Version, ...]:
    try:
        return versions_at(place)
    except MissingError:
        return ()


def _send_missing(root: Path, place: Place, chosen: Chosen) -> tuple[int, int]:
    """Send the files that are not there; returns how many, and their bytes."""
    there = place.sizes([entry.place for entry in chosen.entries])
    absent = [entry for entry in chosen.entries if there.get(entry.place) != entry.n_bytes]
    n_bytes = sum(entry.n_bytes for entry in absent)
    _require_sound(root, absent, chosen)
    with progress.track("sending", total=n_bytes, unit="bytes") as bar:
        place.send([Sent(entry.place, chosen.files[entry.path]) for entry in absent], bar.advance)
    return len(absent), n_bytes


def _require_sound(root: Path, absent: Sequence[Entry], chosen: Chosen) -> None:
    """Refuse to send what is not as it was written: nobody could pull it."""
    faults: list[str] = []
    n_bytes = sum(entry.n_bytes for entry in absent)
    with progress.track("comparing files with their checksums", total=n_bytes, unit="bytes") as bar:
        for entry in absent:
            if files.sha256(chosen.files[entry.path]) != entry.sha256:
                faults.append(f"{entry.path} was changed: its checksum is not the recorded one")
            bar.advance(entry.n_bytes)
    if faults:
        step = "nothing was published; see: interplm-wh verify"
        raise CheckError(faults_message(str(root), faults, step))


def _own_files(
    root: Path, chosen: Chosen, number: int, digest: str, scratch: Path
) -> tuple[Version, list[Sent]]:
    """Write what a version has of its own: catalogue, list, card and the meaning of the columns."""
    local = scratch / "version"
    local.mkdir()
    path = local / layout.CATALOGUE
    catalogue.compose(chosen.con, root, path, faults=parts.absent(chosen.con))
    sha256 = files.sha256(path)
    # Of the catalogue's own bytes, too: no other publish, not even one at the same time, has this folder.
    name = f"{number}-{hashlib.sha256(f'{digest} {sha256}'.encode()).hexdigest()[:12]}"
    place = f"{manifest.VERSIONS}/{name}/{layout.CATALOGUE}"
    entry = Entry(layout.CATALOGUE, place, path.stat().st_size, sha256)
    content = manifest.dump_files([*chosen.entries, entry])
    (local / manifest.FILES).write_bytes(content)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    version = Version(
        name, digest, hashlib.sha256(content).hexdigest(), len(chosen.entries) + 1,
        sum(one.n_bytes for one in (*chosen.entries, entry)), now, __version__,
    )  # fmt: skip
    (local / card.TABLES).write_text(card.tables_page(), encoding="utf-8")
    (local / manifest.CARD).write_text(card.page(chosen, version), encoding="utf-8")
    return version, [Sent(f"{version.folder}/{file.name}", file) for file in sorted(local.iterdir())]


def _send_last(place: Place, versions: Sequence[Version], own: Sequence[Sent], scratch: Path) -> None:
    """Send the card, and then what names the versions: from here on readers see it."""
    pointer = scratch / address.POINTER
    pointer.write_bytes(manifest.dump_versions(versions))
    page = next(sent.path for sent in own if sent.path.name == manifest.CARD)
    place.send([Sent(manifest.CARD, page), Sent(address.POINTER, pointer)], lambda _: None)
