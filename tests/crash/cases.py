"""The directed cases: which worker dies where, how, and on which rail. `F…` numbers name rows of the fault matrix.

F5 hold, F9 decision, F11 intention, F12 half a request, F13 answer lost, F14 answer not recorded, F15 recorded and
not reported, F16 nonce not committed, F17 signed and not sent, F18 sent and not known, F20 mined and not final,
F21 outbid and not sent, F22 settled and not reported, F23 released and not reported, F24 told and not reported, F28 a
zombie wakes, F29 a zombie that holds the database, F30 an impatient supervisor.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle

from tests.crash.points import Mode

Row = tuple[str, str]


def _both(row: str, step: str, effect: str) -> list[Row]:
    return [(row, f"{step}.{effect}.uncommitted"), (row, f"{step}.{effect}.committed")]


_UNTIL_PAYMENT: list[Row] = [
    ("F5", "open_refund.done"),
    *_both("F5", "check_refund", "identify"),
    *_both("F5", "check_refund", "judge"),
    ("F5", "check_refund.done"),
    *_both("F9", "read_records", "read_records"),
    ("F9", "read_records.done"),
    *_both("F11", "begin_payout", "begin"),
    ("F11", "begin_payout.done"),
]
_CARD: list[Row] = [
    *_both("F11", "send_card_refund", "record_sending"),
    ("F11", "send_card_refund.leap.before"),
    ("F12", "send_card_refund.leap.half_sent"),
    ("F13", "send_card_refund.leap.after"),
    ("F14", "send_card_refund.record_outcome.uncommitted"),
    ("F15", "send_card_refund.record_outcome.committed"),
    ("F22", "send_card_refund.done"),
]
_CRYPTO: list[Row] = [
    ("F11", "wake_wallet.wake.before"),
    ("F11", "wake_wallet.wake.after"),
    ("F11", "wake_wallet.done"),
    ("F16", "pump.signature.before"),
    ("F16", "pump.signature.after"),
    ("F16", "pump.sign.uncommitted"),
    ("F17", "pump.sign.committed"),
    ("F17", "pump.broadcast.before"),
    ("F18", "pump.broadcast.after"),
    *_both("F18", "pump", "record_sends"),
    ("F21", "pump.raise_fee.uncommitted"),
    ("F21", "pump.raise_fee.committed"),
    *_both("F20", "pump", "see_mined"),
    *_both("F22", "pump", "see_final"),
    ("F22", "pump.done"),
]
_AFTER_PAYMENT: list[Row] = [*_both("F24", "answer_ticket", "answer"), ("F24", "answer_ticket.done")]
# A card payment is looked at once more before its hold is given back; what lies on a chain cannot come back.
_UNPAID: dict[str, list[Row]] = {
    "card": [*_both("F23", "end_refund", "read_records"), ("F23", "end_refund.done")],
    "crypto": [*_both("F23", "read_records", "read_records"), ("F23", "read_records.done")],
}


@dataclass(frozen=True)
class Case:
    """One refund whose worker is hit once. `is_paid` tells whether the operator approves or rejects it."""

    row: str
    rail: str
    point: str
    mode: Mode
    is_paid: bool = True

    @property
    def id(self) -> str:
        return f"{self.row}-{self.rail}-{'paid' if self.is_paid else 'rejected'}-{self.point}-{self.mode}"

    @property
    def needs_own_chain(self) -> bool:
        """A pump drives all payouts of its chain, so a case that hits it must be alone there."""
        return self.point.startswith("pump.")


def _row(row: str, point: str, mode: Mode) -> str:
    if mode == Mode.TERM:
        return "F30"
    if mode == Mode.STOP:
        return "F29" if point.endswith(".uncommitted") else "F28"
    return row


def _points() -> Iterator[tuple[str, str, str, bool]]:
    for rail, own in (("card", _CARD), ("crypto", _CRYPTO)):
        for row, point in (*_UNTIL_PAYMENT, *own, *_AFTER_PAYMENT):
            yield row, rail, point, True
        for row, point in _UNPAID[rail]:
            yield row, rail, point, False


def every_case() -> list[Case]:
    """Return each point in each mode."""
    return [
        Case(_row(row, point, mode), rail, point, mode, is_paid)
        for row, rail, point, is_paid in _points()
        for mode in Mode
    ]


# Where a zombie is most dangerous: between the look and the request, with bytes signed and not sent, with the
# payout recorded, and with the database in its hand. In the shortened set these are always hit so.
ALWAYS_STOPPED = (
    ("card", "send_card_refund.leap.before"),
    ("card", "send_card_refund.record_outcome.uncommitted"),
    ("card", "begin_payout.begin.committed"),
    ("crypto", "pump.sign.committed"),
    ("crypto", "pump.broadcast.before"),
    ("crypto", "pump.sign.uncommitted"),
)
# Whoever dies here leaves the least behind, so it is killed for good.
ALWAYS_KILLED = (
    ("card", "send_card_refund.leap.half_sent"),
    ("card", "send_card_refund.leap.after"),
    ("crypto", "pump.broadcast.after"),
    ("crypto", "pump.see_final.uncommitted"),
)


def representative_cases() -> list[Case]:
    """Return each point once, the modes spread over the points.

    The steps until a payout begins, and the answer to the ticket, know no rail: they are hit on the card's.
    """
    modes = cycle([Mode.KILL, Mode.RAISE, Mode.RAISE, Mode.TERM, Mode.RAISE, Mode.KILL, Mode.RAISE])
    chosen = []
    for row, rail, point, is_paid in _points():
        if rail == "crypto" and is_paid and (row, point) in (*_UNTIL_PAYMENT, *_AFTER_PAYMENT):
            continue
        mode = next(modes)
        if (rail, point) in ALWAYS_STOPPED:
            mode = Mode.STOP
        elif (rail, point) in ALWAYS_KILLED:
            mode = Mode.KILL
        chosen.append(Case(_row(row, point, mode), rail, point, mode, is_paid))
    return chosen
