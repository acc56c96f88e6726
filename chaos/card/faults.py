"""Which fault a call to Stripe meets: by constant rates that a seed decides, or armed once."""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from chaos.chance import draw

STORM_FACTOR = 1.5


class Fault(StrEnum):
    """What goes wrong between us and Stripe. Some are Stripe's own words, said by the proxy in its place."""

    LOST_BEFORE = "lost_before"  # the connection is cut, Stripe hears nothing
    LOST_REPLY = "lost_reply"  # Stripe does what it is asked, its answer is cut off
    HANG = "hang"  # the same, and the answer comes when nobody waits any more
    TRUNCATED = "truncated"  # half of the answer
    BAD_GATEWAY = "html_502"  # Stripe does what it is asked, a page for people comes back
    PAGE = "html_200"
    DOWN = "http_503"  # Stripe hears nothing
    IN_USE = "http_409"  # idempotency_key_in_use; Stripe hears nothing
    BUSY = "http_429"  # rate_limit; Stripe hears nothing
    LOCK_TIMEOUT = "lock_timeout"
    SLOW = "slow"  # the answer is late, and still waited for
    LATE_REQUEST = "late_request"  # the connection is cut, and the request arrives seconds later


KEPT_FROM_STRIPE = frozenset(
    [Fault.LOST_BEFORE, Fault.DOWN, Fault.IN_USE, Fault.BUSY, Fault.LOCK_TIMEOUT, Fault.LATE_REQUEST]
)
"""Stripe does not hear these now; a late request it hears later."""
ANSWERED_PLAINLY = frozenset([Fault.IN_USE, Fault.BUSY, Fault.LOCK_TIMEOUT])
"""Whoever gets these knows that nothing was done."""
# Who has paid no attention to keys and amounts carries out what arrives late, whoever asked again meanwhile: where
# Stripe keeps no guard, nothing that its client does can help.
NEEDS_STRIPES_GUARDS = frozenset([Fault.LATE_REQUEST])

READ_RATES: Mapping[Fault, float] = {
    **dict.fromkeys((Fault.LOST_BEFORE, Fault.LOST_REPLY, Fault.TRUNCATED, Fault.BAD_GATEWAY), 0.008),
    **dict.fromkeys((Fault.PAGE, Fault.DOWN, Fault.BUSY, Fault.LOCK_TIMEOUT), 0.006),
    Fault.SLOW: 0.02,
    Fault.HANG: 0.001,
}
REFUND_RATES: Mapping[Fault, float] = {
    Fault.LOST_BEFORE: 0.05,
    Fault.LOST_REPLY: 0.15,
    Fault.TRUNCATED: 0.05,
    Fault.BAD_GATEWAY: 0.05,
    Fault.PAGE: 0.03,
    Fault.DOWN: 0.03,
    Fault.IN_USE: 0.03,
    Fault.BUSY: 0.03,
    Fault.LOCK_TIMEOUT: 0.03,
    Fault.SLOW: 0.06,
    Fault.HANG: 0.01,
    Fault.LATE_REQUEST: 0.04,
}
"""What asks for a refund is rare and matters most, so these hold there."""


@dataclass(frozen=True)
class Call:
    """One call to Stripe. `key` names what it is about, the same in every run of a seed; `attempt` counts repeats."""

    method: str
    key: str
    attempt: int
    is_refund: bool
    """It asks for a refund to be made."""


class Faults:
    """Decides; from any thread. `factor` 0 is calm, 1 the rates, `STORM_FACTOR` a storm."""

    def __init__(
        self,
        seed: object,
        *,
        read_rates: Mapping[Fault, float] = READ_RATES,
        refund_rates: Mapping[Fault, float] = REFUND_RATES,
        without: frozenset[Fault] = frozenset(),
    ) -> None:
        self._seed, self._without = seed, without
        self._read_rates, self._refund_rates = read_rates, refund_rates
        self._armed: list[Fault] = []
        self._lock = threading.Lock()
        self.factor = 1.0
        self.fired: Counter[str] = Counter()

    @property
    def planned(self) -> list[Fault]:
        """List the faults that a run with these rates must have seen."""
        return [it for it in Fault if it in self._refund_rates and it not in self._without]

    def arm(self, fault: Fault) -> None:
        """Let it happen to the next call that asks for a refund, whatever the rates say."""
        with self._lock:
            self._armed.append(fault)

    def disarm(self) -> None:
        """Forget every fault that still waits for its call."""
        with self._lock:
            self._armed.clear()

    def decide(self, call: Call) -> Fault | None:
        """Return what happens to a call, and count it."""
        with self._lock:
            fault = self._armed.pop(0) if call.is_refund and self._armed else self._drawn(call)
            if fault is not None:
                self.fired[str(fault)] += 1
            return fault

    def _drawn(self, call: Call) -> Fault | None:
        left = draw(self._seed, call.method, call.key, call.attempt)
        for fault, rate in (self._refund_rates if call.is_refund else self._read_rates).items():
            left -= 0.0 if fault in self._without else rate * self.factor
            if left < 0:
                return fault
        return None
