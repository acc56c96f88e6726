"""Workers of the product with crash points around their parts, and perhaps a planted mistake; for `Workers` only.

The product's code knows of neither: both are put around its classes here, in this process, before one is made.
"""

import os

from chaos import bugs
from gateways.stripe.gateway import StripeGateway

# The crash points were built for the directed crash tests and serve here by chance (`CRASH_CHANCE`) or armed.
from tests.crash.worker import Nursery

READ_SECONDS_MAX = 4.0  # of an answer of Stripe's: what takes thirty seconds elsewhere would be most of a run


def main() -> None:
    """Load the code once, then fork a worker for every line read; see the nursery."""
    _make_haste()
    if bug := os.environ.get("CHAOS_BUG"):
        bugs.plant(bug)
    nursery = Nursery()
    try:
        nursery.run()
    finally:
        nursery.end()


def _make_haste() -> None:
    """Let the card gateway wait less than it does in production: by its own parameter, from outside."""
    defaults = StripeGateway.__init__.__kwdefaults__ or {}
    if "read_seconds_max" not in defaults:
        raise AttributeError("the card gateway has no read_seconds_max any more")
    defaults["read_seconds_max"] = READ_SECONDS_MAX


if __name__ == "__main__":
    main()
