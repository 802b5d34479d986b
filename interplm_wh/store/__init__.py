"""The warehouse on disk: one writer, immutable folders, and a catalogue published at once."""

from interplm_wh.store.create import init
from interplm_wh.store.reader import Warehouse, open_anywhere
from interplm_wh.store.reader import open_warehouse as open
from interplm_wh.store.staging import Staging, stage
from interplm_wh.store.transaction import Transaction, memory_bytes, write
from interplm_wh.store.vacuum import VacuumReport, vacuum

__all__ = [
    "Staging",
    "Transaction",
    "VacuumReport",
    "Warehouse",
    "init",
    "memory_bytes",
    "open",
    "open_anywhere",
    "stage",
    "vacuum",
    "write",
]
