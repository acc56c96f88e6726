"""Operators who mend: they ask for a payout anew whose refund is known to be dead, and approve it again.

They press nothing else: whatever lies before them must be seen by the service itself when it is over.
"""

import threading
import time
from contextlib import suppress
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from chaos.chance import choose
from chaos.databases import rows
from chaos.nemesis import Blow
from chaos.people import OK, OutOfTime, People
from chaos.purses import Purse, Record
from chaos.waiting import InVain

CASE_SECONDS_MAX = 15.0
POLL_SECONDS = 0.5
EACH_OF = 25
_DEAD = """
SELECT refunds.id AS refund, refunds.attempt AS attempt, deposits.payment_intent AS payment_intent
FROM refunds JOIN deposits ON deposits.id = refunds.deposit_id
JOIN payouts ON payouts.refund_id = refunds.id AND payouts.attempt = refunds.attempt
WHERE refunds.status = 'needs_attention' AND payouts.status IN ('failed', 'canceled', 'refused')
"""
_UNREAD = "SELECT resolution_id AS name FROM resolutions WHERE NOT is_applied"


class Operators:
    """Deals what operators do as the nemesis deals blows: side by side with everything that goes wrong."""

    def __init__(self, seed: object) -> None:
        self._seed = seed
        self._people: People
        self._database_url = ""
        self._ending = threading.Event()
        self.untouchable: set[str] = set()
        """Payments that were refunded by somebody else: to pay those anew would be refused."""
        self.retried: set[tuple[str, str]] = set()

    def meet(self, people: People, database_url: str, ending: threading.Event) -> None:
        """Learn whom to call, and where to read what is dead."""
        self._people, self._database_url, self._ending = people, database_url, ending

    def acts(self, count: int) -> list[Blow]:
        """Return how often they mend."""
        return [Blow("retried", partial(self._retry, number)) for number in range(1 + count // EACH_OF)]

    def are_waiting(self) -> bool:
        """Tell whether the service has not read yet what an operator wants."""
        return bool(rows(self._database_url, _UNREAD))

    def _retry(self, number: int) -> None:
        refund, attempt = self._await_dead(number)
        wish = f"retry-{refund}-{attempt}"
        body = {"resolution_id": wish, "action": "retry", "reason": "chaos"}
        self.retried.add((refund, str(attempt + 1)))
        record = Record(Purse(refund, {}, "", 0, 0), "retried", {refund})
        path = f"/v1/refunds/{refund}/resolution"
        try:
            status, _ = self._people.call("approver_2", "POST", path, body, record=record)
        except OutOfTime as error:
            raise InVain("an answer in time") from error
        if status not in OK:
            raise InVain(f"the retry of {refund} to be accepted")
        # Whoever approves waits for the service, which may be away for longer than blows are dealt.
        approving = partial(self._approve, record, refund, wish)
        threading.Thread(target=approving, name=wish, daemon=True).start()

    def _approve(self, record: Record, refund: str, wish: str) -> None:
        """Approve what was asked for anew, once the service has read the wish and unless it had to refuse it."""
        with suppress(OutOfTime):
            while self._is_unread(wish):
                self._people.pause(POLL_SECONDS)
            self._people.decide(record, refund, "approve", "approver_1", f"again-{wish}")

    def _is_unread(self, wish: str) -> bool:
        try:
            return any(it["name"] == wish for it in rows(self._database_url, _UNREAD))
        except SQLAlchemyError:
            return True  # the database is away

    def _await_dead(self, number: int) -> tuple[str, int]:
        deadline = time.monotonic() + CASE_SECONDS_MAX
        while True:
            try:
                found = [it for it in rows(self._database_url, _DEAD) if it["payment_intent"] not in self.untouchable]
            except SQLAlchemyError:
                found = []  # the database is away
            free = [it for it in found if (it["refund"], str(it["attempt"] + 1)) not in self.retried]
            if free:
                chosen = choose(sorted(free, key=lambda it: str(it["refund"])), self._seed, "retry", number)
                return str(chosen["refund"]), int(chosen["attempt"])
            if time.monotonic() > deadline or self._ending.wait(POLL_SECONDS):
                raise InVain("a refund that is dead")
