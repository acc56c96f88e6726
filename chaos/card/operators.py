"""Operators who mend: they ask for a payout anew whose refund is known to be dead, and approve it again."""

import threading
import time
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
_ATTENDED = "SELECT id AS refund FROM refunds WHERE status = 'needs_attention'"


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

    def look_again(self) -> None:
        """Let operators look once more at what lies before them, as the console offers it."""
        for it in rows(self._database_url, _ATTENDED):
            body = {"resolution_id": f"look-{it['refund']}", "action": "look_again", "reason": "chaos"}
            self._people.call("approver_1", "POST", f"/v1/refunds/{it['refund']}/resolution", body)

    def are_waiting(self) -> bool:
        """Tell whether the service has not read yet what an operator wants."""
        return bool(rows(self._database_url, "SELECT 1 AS one FROM resolutions WHERE NOT is_applied"))

    def _retry(self, number: int) -> None:
        refund, attempt = self._await_dead(number)
        body = {"resolution_id": f"retry-{refund}-{attempt}", "action": "retry", "reason": "chaos"}
        self.retried.add((refund, str(attempt + 1)))
        record = Record(Purse(refund, {}, "", 0, 0), "retried", {refund})
        try:
            path = f"/v1/refunds/{refund}/resolution"
            status, _ = self._people.call("approver_2", "POST", path, body, record=record)
            if status not in OK:
                raise InVain(f"the retry of {refund} to be accepted")
            while self._people.seen(refund)["status"] == "needs_attention":  # the run reads what was recorded
                self._people.pause(POLL_SECONDS)
            self._people.decide(record, refund, "approve", "approver_1", f"again-{refund}-{attempt}")
        except OutOfTime as error:
            raise InVain("an answer in time") from error

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
