"""Known mistakes, planted into a worker from outside: a run that does not notice them proves nothing.

`make test` plants one; `make chaos-bugs` plants each.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from chaos.bugs import BUGS
from chaos.card.bugs import CARD_BUGS

ROOT = Path(__file__).resolve().parents[2]
SECONDS_MAX = 600  # a mistake that only jams is told when the time to come to rest is over
COUNT = 16

# What is told of each, and the seeds that were seen to catch it, the first one first.
CAUGHT: dict[str, tuple[str, tuple[int, ...]]] = {
    "new_nonce_when_unsure": (r"was sent and is not in our database|was signed for under the nonces", (1, 2, 3)),
    "missing_receipt_is_unpaid": (r"was signed for under the nonces|is not in our database", (1, 2, 3)),
    "save_after_send": (r"was sent and is not in our database", (1, 2, 3)),
    "no_rebroadcast_after_paid": (r"got nothing until its signed bytes were sent again|in no block", (1, 2, 3)),
    "newest_hash_only": (r"in no block|still open|needs_attention", (1, 2, 3)),
    "tx_from_for_tokens": (r"goes to 0x\w+, the payer is|which nobody is owed", (1, 2, 3)),
    "release_when_retries_end": (r"was paid; refunds: rf_\w+ is rejected", (1, 2, 3)),
    "new_key_per_retry": (r"was paid back \d times|made \d refunds", (1, 2, 3)),
    "failed_ones_skipped": (r"made \d refunds", (1, 2, 3)),
    "last_decision_wins": (r"was paid back, and it was rejected", (1, 2, 3)),
    "pending_is_refunded": (r"was told as refunded while its refund was only pending", (1, 2, 3)),
}
# Whether a worker wakes just after another one has paid is a matter of luck in a run: the short soak proves it.
CAUGHT_BY_THE_SHORT_SOAK = {"no_lease"}
QUICK = ("new_nonce_when_unsure",)
CHOSEN = tuple(CAUGHT) if os.environ.get("CHAOS_BUGS") == "all" else QUICK


def test_every_bug_has_what_is_told_of_it() -> None:
    assert set(CAUGHT) | CAUGHT_BY_THE_SHORT_SOAK == set(BUGS)


@pytest.mark.stack
@pytest.mark.timeout(3 * SECONDS_MAX + 60)
@pytest.mark.parametrize("bug", CHOSEN)
def test_a_planted_mistake_is_caught(bug: str) -> None:
    told, seeds = CAUGHT[bug]
    runs = []

    for seed in seeds:
        command = [sys.executable, "-m", "chaos", "--count", str(COUNT), "--seed", str(seed), "--bug", bug]
        if bug in CARD_BUGS:  # a Stripe with its guards hides most of them
            command += ["--rail", "card", "--profile", "permissive"]
        command += ["--rest-seconds", "40", "--stop-early"]
        run = subprocess.run(  # noqa: S603 - our own module
            command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
        )
        runs.append((run.returncode, run.stdout, run.stderr[-2000:]))
        if run.returncode == 1 and re.search(told, run.stderr) and "verdict=FAIL" in run.stdout:
            return

    raise AssertionError(runs)
