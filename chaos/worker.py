"""Workers of the product with crash points around their parts, and perhaps a planted mistake; for `Workers` only.

The product's code knows of neither: both are put around its classes here, in this process, before one is made.
"""

import os

from chaos import bugs

# The crash points were built for the directed crash tests and serve here by chance (`CRASH_CHANCE`) or armed.
from tests.crash.worker import Nursery


def main() -> None:
    """Load the code once, then fork a worker for every line read; see the nursery."""
    if bug := os.environ.get("CHAOS_BUG"):
        bugs.plant(bug)
    nursery = Nursery()
    try:
        nursery.run()
    finally:
        nursery.end()


if __name__ == "__main__":
    main()
