"""The journal on disk, its twin in memory, and the lock on the state directory."""

from robson.store.journal import SqliteJournal
from robson.store.lock import Holder, StateLock
from robson.store.memory import MemoryJournal

__all__ = ["Holder", "MemoryJournal", "SqliteJournal", "StateLock"]
