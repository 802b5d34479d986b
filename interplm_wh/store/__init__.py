"""The warehouse on disk: one writer, immutable folders, and a catalogue published at once."""

from interplm_wh.store.create import init
from interplm_wh.store.reader import Warehouse
from interplm_wh.store.reader import open_warehouse as open
from interplm_wh.store.staging import Staging, stage
from interplm_wh.store.transaction import Transaction, write

__all__ = ["Staging", "Transaction", "Warehouse", "init", "open", "stage", "write"]
