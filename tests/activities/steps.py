"""The steps of a refund, called one by one as Temporal would call them, without Temporal."""

from collections.abc import Callable
from typing import Any, TypeVar

from temporalio.testing import ActivityEnvironment

from activities.card import CardActivities
from activities.cases import CaseActivities
from activities.crypto import CryptoActivities
from activities.outbox import Chain
from activities.payments import ChainPayments, PaymentActivities, PaymentReader
from activities.sending import OneAtATime
from domain.refunds import RefundStatus, StatusReason
from domain.runs import Attend, OpenRefund, PayoutKey, ReadRecords, RefundKey, Remind, WalletKey
from gateways.stripe.gateway import StripeGateway
from ledger.checking import Checking
from ledger.leases import leases
from ledger.messages import Messages
from ledger.outbox import Outbox
from ledger.payouts import Payouts
from ledger.progress import Progress
from ledger.rails import Rails
from ledger.sightings import Sightings
from ledger.signing import Signing
from ledger.wallets import Wallets
from tests.fakes import CHAIN_ID, WALLET
from tests.workflows.house import House

Result = TypeVar("Result")


class NoWalletRuns:
    """Takes note of wallets that were woken."""

    def __init__(self) -> None:
        self.woken: list[str] = []
        self.block_seconds = 0.0

    async def wake(self, key: WalletKey) -> None:
        self.woken.append(key.wallet)
        self.block_seconds = key.block_seconds


class Steps:
    """Each method is one step of a refund, run as an activity."""

    def __init__(
        self,
        house: House,
        chain: Chain | None = None,
        deposits: ChainPayments | None = None,
        card: StripeGateway | None = None,
    ) -> None:
        """The wallet pays on `chain`, deposits are read from `deposits` and `card`; else all are the house's."""
        self.house = house
        database, policy = house.database, house.policy
        self._checking = checking = Checking(database, policy)
        self._payouts = payouts = Payouts(database, policy, {CHAIN_ID: WALLET})
        progress = Progress(database, policy)
        self.wallet_runs = NoWalletRuns()
        self._cases = CaseActivities(
            intake=house.intake,
            progress=progress,
            waits=checking,
            messages=Messages(database),
            policy=policy,
        )
        reader = PaymentReader(card or house.card, {CHAIN_ID: deposits or house.chain})
        stops = Rails(database)
        self._payments = PaymentActivities(
            reader=reader, checking=checking, payouts=payouts, progress=progress, stops=stops
        )
        sender = OneAtATime(card, leases(database)) if card else house.card
        self._cards = CardActivities(processor=sender, payouts=payouts, stops=stops)
        self._crypto = CryptoActivities(
            chains={CHAIN_ID: chain or house.chain},
            outbox=Outbox(database, house.limits),
            signing=Signing(database, policy, house.limits),
            sightings=Sightings(database, policy),
            wallets=Wallets(database, policy),
            refunds=house.intake,
            wallet_runs=self.wallet_runs,
            handling=policy.handling,
        )

    def open_directly(self, refund: str) -> Any:
        return _run(self._cases.open_refund, OpenRefund(raw=self.house.body("direct")))

    def check(self, refund: str) -> Any:
        return _run(self._payments.check_refund, RefundKey(refund_id=refund))

    def read_records(self, refund: str) -> Any:
        return _run(self._cases.read_records, ReadRecords(refund_id=refund, told=("made up",)))

    def attend(self, refund: str) -> Any:
        is_begun = self.house.see(refund)["status"] == RefundStatus.PAYING
        reason = StatusReason.PAYOUT_UNKNOWN if is_begun else StatusReason.FACTS_UNAVAILABLE
        return _run(self._cases.attend, Attend(refund_id=refund, reason=reason))

    def expire(self, refund: str) -> Any:
        return _run(self._cases.expire, RefundKey(refund_id=refund))

    def remind(self, refund: str) -> Any:
        return _run(self._cases.remind, Remind(refund_id=refund, urgency="reminder"))

    def answer_ticket(self, refund: str) -> Any:
        return _run(self._cases.answer_ticket, RefundKey(refund_id=refund))

    def begin(self, refund: str) -> Any:
        return _run(self._payments.begin_payout, RefundKey(refund_id=refund))

    def end(self, refund: str) -> Any:
        return _run(self._payments.end_refund, RefundKey(refund_id=refund))

    def send_card(self, refund: str) -> Any:
        return _run(self._cards.send_card_refund, self._payout(refund))

    def look_at_card(self, refund: str) -> Any:
        return _run(self._cards.look_at_card_refund, self._payout(refund))

    def end_watch(self, refund: str) -> Any:
        return _run(self._cards.end_watch, RefundKey(refund_id=refund))

    def pump(self, refund: str, turn: int = 0) -> Any:
        return _run(self._crypto.pump, WalletKey(chain_id=CHAIN_ID, wallet=WALLET, turn=turn))

    async def wake_wallet(self, refund: str) -> Any:
        return await ActivityEnvironment().run(self._crypto.wake_wallet, RefundKey(refund_id=refund))

    def _payout(self, refund: str) -> PayoutKey:
        return PayoutKey(refund_id=refund, attempt=self.house.see(refund)["attempt"])

    # --- where a test begins ---

    def identify_only(self, refund: str) -> None:
        """Do the first half of a check: the deposit is found, and not judged yet."""
        self._checking.identify(refund)

    def sending_was_recorded(self, refund: str) -> None:
        """Do the first half of sending by card: the worker died when the request was about to leave."""
        self._payouts.record_sending(refund, self.house.see(refund)["attempt"])

    def requested(self, rail: str = "card", **changes: Any) -> str:
        self.house.deposit(rail=rail)
        return self.house.accept(rail=rail, **changes)

    def awaiting_approval(self, rail: str = "card") -> str:
        refund = self.requested(rail)
        self.check(refund)
        return refund

    def approved(self, rail: str = "card") -> str:
        refund = self.awaiting_approval(rail)
        self.house.approve(refund)
        return refund

    def begun(self, rail: str = "card") -> str:
        refund = self.approved(rail)
        assert self.begin(refund).status == RefundStatus.PAYING
        return refund

    def paid(self) -> str:
        refund = self.begun()
        assert self.send_card(refund).status == RefundStatus.REFUNDED
        return refund


def _run(step: Callable[..., Result], argument: object) -> Result:
    return ActivityEnvironment().run(step, argument)
