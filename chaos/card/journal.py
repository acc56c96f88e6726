"""What the proxy saw: each request for a refund that ever came by, what became of it, and every fault."""

import json
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass
class Post:
    """One request for a refund, as it was sent, and its fate."""

    number: int
    at: float
    payment_intent: str
    refund_id: str
    """Ours, by its metadata."""
    attempt: str
    key: str
    body: str
    headers: Mapping[str, str]
    fault: str = ""
    was_delivered: bool = False
    status: int = 0
    """Stripe's answer, whether or not it reached us; 0 for none."""
    made: str = ""
    """The refund that Stripe answered with."""
    code: str = ""
    is_replay: bool = False
    is_lost: bool = True
    """Whoever sent it got no answer that says what became of it."""
    is_late: bool = False
    """It reached Stripe long after whoever sent it had given it up."""


class Journal:
    """Kept in memory, and line by line in a file for whoever looks afterwards."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._posts: list[Post] = []
        self._calls: Counter[str] = Counter()

    @property
    def posts(self) -> list[Post]:
        """Return every request for a refund, oldest first."""
        with self._lock:
            return list(self._posts)

    def calls(self) -> dict[str, int]:
        """Count the calls by method and kind of object."""
        with self._lock:
            return dict(self._calls)

    def count(self, method: str, path: str) -> None:
        """Count one call."""
        with self._lock:
            self._calls[f"{method} {'/'.join(path.split('/')[:3])}"] += 1

    def see(self, fields: Mapping[str, str], key: str, body: str, headers: Mapping[str, str]) -> Post:
        """Keep a request for a refund before anything is done with it."""
        with self._lock:
            post = Post(
                number=len(self._posts),
                at=time.time(),
                payment_intent=fields.get("payment_intent", ""),
                refund_id=fields.get("metadata[refund_id]", ""),
                attempt=fields.get("metadata[attempt]", ""),
                key=key,
                body=body,
                headers=dict(headers),
            )
            self._posts.append(post)
            return post

    def note_post(self, post: Post) -> None:
        """Write what became of a request for a refund."""
        told = asdict(post)
        del told["headers"]  # they hold a key, if only one of the simulator
        self._note({"post": told})

    def note_fault(self, fault: str, **told: Any) -> None:
        """Write a fault and the call that it happened to."""
        self._note({"fault": fault, "at": time.time(), **told})

    def _note(self, line: dict[str, Any]) -> None:
        if self._file is not None:
            with self._lock, self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
