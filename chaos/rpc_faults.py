"""Which fault a call to an endpoint meets: by constant rates that a seed decides, or armed once for a test."""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from chaos.chance import draw

SEND = "eth_sendRawTransaction"
RECEIPT = "eth_getTransactionReceipt"
COUNT = "eth_getTransactionCount"
BLOCK = "eth_getBlockByNumber"
HEAD = "eth_blockNumber"
CHAIN_ID = "eth_chainId"
STORM_FACTOR = 2.0


class Fault(StrEnum):
    """What an endpoint does wrong."""

    LOST_BEFORE = "lost_before"  # the connection is cut, the node hears nothing
    LOST_REPLY = "lost_reply"  # the node does what it is asked, its answer is cut off
    TIMEOUT = "timeout"  # the node does what it is asked, its answer comes when nobody waits any more
    BUSY = "http_429"
    BUSY_EMPTY = "http_429_empty"
    DOWN = "http_503"
    DOWN_EMPTY = "http_503_empty"
    HTML = "html"  # status 200 and a page for people
    EMPTY = "empty"  # status 200 and nothing
    TRUNCATED = "truncated"  # status 200 and half of the answer
    SWALLOWED = "swallowed"  # the hash is answered, the node hears nothing
    BOGUS_KNOWN = "bogus_already_known"  # so it says of bytes that the node never got
    BOGUS_NONCE = "bogus_nonce_too_low"
    RECEIPT_NULL = "receipt_null"  # one look in vain at what is in a block
    RECEIPT_LATE = "receipt_late"  # the first looks in vain, whoever looks
    STALE_NONCE = "stale_nonce"
    STALE_HEAD = "stale_head"  # an older block is told as the newest or the final one
    WRONG_HEAD = "wrong_head"  # a block far ahead is: nothing but another endpoint can tell
    OTHER_CHAIN = "other_chain"


# Decided before the node is asked; the rest change an answer, and only where they would change it.
OF_TRANSPORT: tuple[Fault, ...] = (
    *(Fault.LOST_BEFORE, Fault.LOST_REPLY, Fault.TIMEOUT, Fault.BUSY, Fault.BUSY_EMPTY, Fault.DOWN),
    *(Fault.DOWN_EMPTY, Fault.HTML, Fault.EMPTY, Fault.TRUNCATED),
)
OF_SENDING = (Fault.SWALLOWED, Fault.BOGUS_KNOWN, Fault.BOGUS_NONCE)
METHODS: Mapping[Fault, tuple[str, ...]] = {
    **dict.fromkeys(OF_SENDING, (SEND,)),
    Fault.RECEIPT_NULL: (RECEIPT,),
    Fault.RECEIPT_LATE: (RECEIPT,),
    Fault.STALE_NONCE: (COUNT,),
    Fault.STALE_HEAD: (BLOCK, HEAD),
    Fault.WRONG_HEAD: (BLOCK, HEAD),
    Fault.OTHER_CHAIN: (CHAIN_ID,),
}

# Chances of each call. A turn of a wallet asks dozens of things, and without a view of the chain it signs nothing:
# with many times as much nothing would be paid while it storms, and the run would show nothing.
RATES: Mapping[Fault, float] = {
    **dict.fromkeys(OF_TRANSPORT, 0.002),
    Fault.TIMEOUT: 0.0005,
    Fault.SWALLOWED: 0.10,
    Fault.BOGUS_KNOWN: 0.08,
    Fault.BOGUS_NONCE: 0.08,
    Fault.RECEIPT_NULL: 0.05,
    Fault.RECEIPT_LATE: 0.15,
    Fault.STALE_NONCE: 0.10,
    Fault.STALE_HEAD: 0.05,
    Fault.OTHER_CHAIN: 0.01,
}
SEND_RATES: Mapping[Fault, float] = {Fault.LOST_BEFORE: 0.08, Fault.LOST_REPLY: 0.10, Fault.DOWN: 0.04}
"""What is sent is rare and matters most, so these rates hold there instead."""


@dataclass
class Call:
    """One question to one endpoint. `key` names what it is about, `attempt` counts the same question."""

    endpoint: int
    method: str
    key: str
    attempt: int
    params: list[Any] = field(default_factory=list)
    is_first_send: bool = False
    """No endpoint has handed these bytes to the node yet."""


@dataclass
class Arm:
    """A fault that waits for its call. None stands for any; `times` None for every time until it is disarmed."""

    fault: Fault
    endpoint: int | None = None
    method: str | None = None
    contains: str = ""
    """A part of the call's parameters: a hash, an address, a block's tag."""
    times: int | None = 1

    def fits(self, call: Call) -> bool:
        """Tell whether this is the call that it waits for."""
        return (
            self.endpoint in (None, call.endpoint)
            and self.method in (None, call.method)
            and call.method in METHODS.get(self.fault, (call.method,))
            and self.contains.lower() in str(call.params).lower()
        )


class Faults:
    """Decides; from any thread. `factor` 0 is calm, 1 the base rates, `STORM_FACTOR` a storm."""

    def __init__(self, seed: object, rates: Mapping[Fault, float], send_rates: Mapping[Fault, float]) -> None:
        self._seed, self._rates, self._send_rates = seed, rates, send_rates
        self._arms: list[Arm] = []
        self._lock = threading.Lock()
        self.factor = 1.0
        self.fired: Counter[Fault] = Counter()

    def arm(self, arm: Arm) -> None:
        """Let a fault happen to the next call that fits, whatever the rates say."""
        with self._lock:
            self._arms.append(arm)

    def disarm(self) -> None:
        """Forget every fault that still waits for its call."""
        with self._lock:
            self._arms.clear()

    @property
    def waiting(self) -> list[Fault]:
        """Return what is armed and has not happened yet."""
        with self._lock:
            return [arm.fault for arm in self._arms]

    def before(self, call: Call) -> Fault | None:
        """Decide on what happens before the node is asked, and count it."""
        options = OF_TRANSPORT
        if call.is_first_send:
            options = (*OF_SENDING, *OF_TRANSPORT)
        elif call.method == SEND:
            options = (Fault.SWALLOWED, *OF_TRANSPORT)
        return self._decide(call, options)

    def after(self, call: Call, options: tuple[Fault, ...]) -> Fault | None:
        """Decide which of the lies that this answer allows is told, and count it."""
        return self._decide(call, options)

    def _decide(self, call: Call, options: tuple[Fault, ...]) -> Fault | None:
        with self._lock:
            fault = self._armed(call, options) or self._drawn(call, options)
            if fault is not None:
                self.fired[fault] += 1
            return fault

    def _armed(self, call: Call, options: tuple[Fault, ...]) -> Fault | None:
        for arm in self._arms:
            if arm.fault in options and arm.fits(call):
                if arm.times is not None:
                    arm.times -= 1
                    if arm.times == 0:
                        self._arms.remove(arm)
                return arm.fault
        return None

    def _drawn(self, call: Call, options: tuple[Fault, ...]) -> Fault | None:
        if not options:
            return None
        # What comes late is late for whoever looks, so it is no matter of the attempt.
        attempt = "late" if options == (Fault.RECEIPT_LATE,) else call.attempt
        left = draw(self._seed, call.endpoint, call.method, call.key, attempt, options[0])
        for fault in options:
            known = self._send_rates.get(fault) if call.method == SEND else None
            left -= self.factor * (self._rates.get(fault, 0.0) if known is None else known)
            if left < 0:
                return fault
        return None
