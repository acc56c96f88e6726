"""What a fault proxy saw: each signed chain transaction that ever came by, each fault, each call by its method."""

import json
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak


@dataclass
class Raw:
    """Signed bytes, as hexadecimal with 0x, and what became of each time that they were sent."""

    raw: str
    tx_hash: str
    first_seen_at: float
    fates: list[str] = field(default_factory=list)
    """`forwarded`, or the fault that kept them from the node."""


class RpcJournal:
    """Kept in memory, and line by line in a file for whoever looks afterwards."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._raws: dict[str, Raw] = {}
        self._calls: Counter[tuple[int, str]] = Counter()
        self._shown: set[str] = set()

    @property
    def shown(self) -> frozenset[str]:
        """Return the hashes whose receipts were told: whoever asked knows that they stood in a block."""
        with self._lock:
            return frozenset(self._shown)

    @property
    def raws(self) -> list[Raw]:
        """Return every signed chain transaction that ever came by, in the order of their first coming."""
        with self._lock:
            return [Raw(it.raw, it.tx_hash, it.first_seen_at, list(it.fates)) for it in self._raws.values()]

    def calls(self, endpoint: int | None = None) -> dict[str, int]:
        """Count the calls by their method, of one endpoint or of all."""
        found: Counter[str] = Counter()
        with self._lock:
            for (asked, method), number in self._calls.items():
                if endpoint in (None, asked):
                    found[method] += number
        return dict(found)

    def count(self, endpoint: int, method: str) -> None:
        """Count one call."""
        with self._lock:
            self._calls[endpoint, method] += 1

    def see(self, raw: str) -> tuple[str, bool]:
        """Keep signed bytes before anything is done with them; return their hash, and whether the node has them."""
        tx_hash = "0x" + keccak(hexstr=raw).hex()
        with self._lock:
            if tx_hash not in self._raws:
                self._raws[tx_hash] = Raw(raw, tx_hash, time.time())
                self._write({"raw": asdict(self._raws[tx_hash])})
            return tx_hash, "forwarded" in self._raws[tx_hash].fates

    def note_shown(self, tx_hash: str) -> None:
        """Write that a receipt was told."""
        with self._lock:
            self._shown.add(tx_hash)

    def note_fate(self, tx_hash: str, fate: str) -> None:
        """Write what became of signed bytes this time."""
        with self._lock:
            self._raws[tx_hash].fates.append(fate)
            self._write({"sent": tx_hash, "fate": fate, "at": time.time()})

    def note_fault(self, fault: str, **told: Any) -> None:
        """Write a fault and the call that it happened to."""
        with self._lock:
            self._write({"fault": fault, "at": time.time(), **told})

    def _write(self, line: dict[str, Any]) -> None:
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
