"""Named retry profiles: how long a step may take, how it is tried again, and when it counts as dead."""

from datetime import timedelta
from typing import TypedDict

from temporalio.common import RetryPolicy

# Every step beats each second, so a worker that died or stands still is noticed after this time, not after the
# time that the step itself may take.
HEARTBEAT_TIMEOUT = timedelta(seconds=5)


class Profile(TypedDict, total=False):
    """What `workflow.execute_activity` takes."""

    start_to_close_timeout: timedelta
    schedule_to_close_timeout: timedelta
    heartbeat_timeout: timedelta
    retry_policy: RetryPolicy


def _backoff(first_seconds: float, longest_seconds: float) -> RetryPolicy:
    return RetryPolicy(
        initial_interval=timedelta(seconds=first_seconds),
        backoff_coefficient=2,
        maximum_interval=timedelta(seconds=longest_seconds),
    )


# Our own database: it comes back, and what must be written must be written, so there is no end to trying.
LEDGER: Profile = {
    "start_to_close_timeout": timedelta(seconds=40),
    "heartbeat_timeout": HEARTBEAT_TIMEOUT,
    "retry_policy": _backoff(1, 30),
}

# Reading a provider before anything is paid: after half an hour a person learns that facts are unavailable.
READ: Profile = {
    "start_to_close_timeout": timedelta(seconds=120),
    "schedule_to_close_timeout": timedelta(minutes=30),
    "heartbeat_timeout": HEARTBEAT_TIMEOUT,
    "retry_policy": _backoff(1, 60),
}

# A dry run: somebody waits for the answer, and asking again costs nothing.
CHECK: Profile = {
    "start_to_close_timeout": timedelta(seconds=10),
    "schedule_to_close_timeout": timedelta(seconds=12),
    "heartbeat_timeout": HEARTBEAT_TIMEOUT,
    "retry_policy": _backoff(0.5, 2),
}

# Moving money: the step itself tells people of answers that say nothing. It must outlast the 25 hours for which a
# processor may repeat a stored failure, or the looks at it would not come each quarter of an hour.
MONEY: Profile = {
    "start_to_close_timeout": timedelta(seconds=120),
    "schedule_to_close_timeout": timedelta(hours=26),
    "heartbeat_timeout": HEARTBEAT_TIMEOUT,
    "retry_policy": _backoff(2, 120),
}

# One turn of a wallet's pump: bytes are stored, so every failure is only time lost.
PUMP: Profile = {
    "start_to_close_timeout": timedelta(seconds=60),
    "heartbeat_timeout": HEARTBEAT_TIMEOUT,
    "retry_policy": _backoff(1, 15),
}

# Telling the ticket must never hold up or fail a refund: it is tried for a day and then left to a person.
ANSWER: Profile = {
    "start_to_close_timeout": timedelta(seconds=20),
    "schedule_to_close_timeout": timedelta(hours=24),
    "heartbeat_timeout": HEARTBEAT_TIMEOUT,
    "retry_policy": _backoff(1, 600),
}

# One step of a reconciliation: nobody waits for it, and a provider that is away for an hour is reported as unread.
BOOKS: Profile = {
    "start_to_close_timeout": timedelta(minutes=10),
    "schedule_to_close_timeout": timedelta(hours=1),
    "heartbeat_timeout": HEARTBEAT_TIMEOUT,
    "retry_policy": _backoff(2, 120),
}
