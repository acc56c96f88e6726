"""How fast we may ask Stripe: a bucket of tokens that the threads of a worker share. It delays, and never fails."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import stripe

# Stripe allows 100 requests a second in live mode and 25 in a sandbox, for the whole account, which may serve other
# business as well: docs.stripe.com/rate-limits. What comes after a rest may come at once, up to one second of 25.
REQUESTS_PER_SECOND = 5.0
BURST_REQUESTS_MAX = 25


class Pace:
    """Lets `burst` requests through at once, and then `per_second`. Whoever comes first goes first."""

    def __init__(
        self,
        per_second: float = REQUESTS_PER_SECOND,
        burst: int = BURST_REQUESTS_MAX,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        if per_second <= 0 or burst < 1:
            raise ValueError("A pace needs a rate above zero, and a burst of at least one request.")
        self._seconds_each = 1 / per_second
        self._burst_seconds = (burst - 1) / per_second
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free_at = float("-inf")  # when the bucket would be full again, had nobody been let through since

    def wait(self) -> None:
        """Return when the next request may leave."""
        with self._lock:
            now = self._clock()
            self._free_at = max(self._free_at, now) + self._seconds_each
            seconds = self._free_at - self._seconds_each - self._burst_seconds - now
        if seconds > 0:
            self._sleep(seconds)


class PacedClient(stripe.RequestsClient):
    """The library's own HTTP client, each request at our pace, also those that the library repeats by itself."""

    def __init__(self, pace: Pace, *, timeout: tuple[float, float]) -> None:
        super().__init__(timeout=timeout)
        self._pace = pace

    def request(  # type: ignore[override]  # as the library's own class: it differs from its base, too
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Send one request when its turn has come."""
        self._pace.wait()
        return super().request(method, url, headers, post_data)
