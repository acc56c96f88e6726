"""Says first what was recorded, then waits a moment to see what came of it."""

import time
from typing import Any

from cli.calls import Api, refund_path
from cli.exits import CommandFailed
from cli.output import plain, say

PATIENCE_SECONDS = 3.0  # a person waits that long gladly; what takes longer is seen with `show`
PAUSE_SECONDS = 0.2
ENDS = frozenset(["refunded", "ineligible", "rejected", "withdrawn", "expired", "duplicate"])

Refund = dict[str, Any]


def follow(api: Api, recorded: str, before: Refund, answer: Refund) -> Refund:
    """Say what was recorded; return the refund once its status or reason is another than before, or time is up.

    Nothing fails here any more: an API that stops answering takes back nothing of what it recorded.
    """
    say(f"Recorded: {plain(recorded)}")
    seen, deadline = answer, time.monotonic() + PATIENCE_SECONDS
    while _stands(seen) == _stands(before) and seen["status"] not in ENDS:
        left = deadline - time.monotonic()
        if left <= PAUSE_SECONDS:
            break
        time.sleep(PAUSE_SECONDS)
        try:
            seen = api.get(refund_path(answer["id"]), timeout_seconds=left)
        except CommandFailed:
            break
    return seen


def _stands(refund: Refund) -> tuple[Any, Any]:
    return refund["status"], refund["status_reason"]
