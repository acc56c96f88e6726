"""A process that writes on many threads without a pause, until it is killed."""

import sys
import threading
import time

from ledger.database import Database

THREADS = 8
WRITING_SECONDS = 0.004  # about as long as an order or a refund takes
LIFE_SECONDS_MAX = 60


def write_for_ever(database: Database) -> None:
    """Take turn after turn."""
    while True:
        with database.write():
            time.sleep(WRITING_SECONDS)


if __name__ == "__main__":
    shared = Database(sys.argv[1])
    for _ in range(THREADS):
        threading.Thread(target=write_for_ever, args=[shared], daemon=True).start()
    print("writing", flush=True)  # noqa: T201 - the test waits for this line
    time.sleep(LIFE_SECONDS_MAX)
