"""Plain stand-ins for the outside world, for tests in which only our own behaviour matters."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from domain.card_events import CardEvent, EventPage
from domain.differences import ProviderRefund, SentTransfer
from domain.disputes import DisputeStage, FraudWarning, SeenDispute
from domain.errors import AccessRefused, BytesDiffer, EndpointsDisagree, FailureStored, NeedsOperator, TryAgain
from domain.payments import CardPayment, CardPaymentRef, ChainPayment, ChainPaymentRef, Settlement
from domain.payouts import CardPayout, PayoutOutcome, PayoutStatus
from domain.rails import StopCause
from domain.refunds import StatusReason
from domain.transfers import (
    ForeignUse,
    Outgoing,
    SendAnswer,
    Sighting,
    SignedTransfer,
    Transfer,
    TransferTerms,
    WalletView,
)

SENDER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
WALLET = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
CHAIN_ID = 31337

SUCCEEDED = PayoutOutcome(status=PayoutStatus.SUCCEEDED)
PENDING = PayoutOutcome(status=PayoutStatus.PENDING)
UNKNOWN = PayoutOutcome(status=PayoutStatus.UNKNOWN, reason=StatusReason.PAYOUT_UNKNOWN)
REFUSED = PayoutOutcome(status=PayoutStatus.REFUSED, reason=StatusReason.PAYOUT_REFUSED)
FAILED = PayoutOutcome(status=PayoutStatus.FAILED, reason=StatusReason.PAYOUT_FAILED)
CANCELED = PayoutOutcome(status=PayoutStatus.CANCELED, reason=StatusReason.PAYOUT_CANCELED)
DISPUTED = PayoutOutcome(status=PayoutStatus.SUCCEEDED, reason=StatusReason.PAYOUT_DISPUTED)


def contested(stage: DisputeStage, *, name: str = "du_1") -> PayoutOutcome:
    """Say what a look shows of a paid refund with one dispute."""
    reasons = {DisputeStage.LOST: StatusReason.DISPUTE_LOST, DisputeStage.WON: None, DisputeStage.CLOSED: None}
    seen = SeenDispute(dispute_id=name, stage=stage, status=stage.value, amount_minor=2000, currency="USD")
    reason = reasons.get(stage, StatusReason.PAYOUT_DISPUTED)
    return PayoutOutcome(status=PayoutStatus.SUCCEEDED, reason=reason, disputes=(seen,))


MOVED = (PayoutStatus.PENDING, PayoutStatus.SUCCEEDED)


@dataclass
class FakeCardProcessor:
    """A card processor that remembers refunds by their idempotency key, as the real one does."""

    payments: dict[str, CardPayment] = field(default_factory=dict)
    refunds: dict[str, PayoutOutcome] = field(default_factory=dict)
    requests: dict[str, CardPayout] = field(default_factory=dict)
    status_of_new: PayoutOutcome = SUCCEEDED
    is_away: bool = False
    refuses_its_key: bool = False
    loses_answers: bool = False
    takes_no_requests: bool = False
    is_locked: bool = False
    """It takes our key for nothing at all, ..."""
    takes_no_requests_of_its_key: bool = False
    """... or only for reading."""
    stores_failures: bool = False
    stored: set[str] = field(default_factory=set)
    """Keys under which it repeats a failure."""
    replays: int = 0
    posts: int = 0
    looks: int = 0
    warning_reads: int = 0
    warnings: tuple[FraudWarning, ...] = ()
    may_read_warnings: bool = True
    foreign: list[ProviderRefund] = field(default_factory=list)
    """Refunds that somebody else made, newest first."""
    missed: list[CardEvent] = field(default_factory=list)
    """Events that no webhook brought, newest first."""
    is_live: bool = False

    def add_payment(self, payment_intent: str, amount_minor: int, currency: str = "USD") -> None:
        self.payments[payment_intent] = CardPayment(
            found=True,
            status="succeeded",
            is_captured=True,
            is_card=True,
            amount_minor=amount_minor,
            currency=currency,
        )

    def read_payment(self, payment: CardPaymentRef, *, refund_id: str) -> CardPayment:
        self._answer()
        if self.refuses_its_key:
            raise NeedsOperator(StatusReason.FACTS_UNAVAILABLE, "the key may not read payments")
        return self.payments.get(payment.payment_intent, CardPayment(found=False))

    def resolve_payment_intent(self, proof: str) -> str | None:
        self._answer()
        candidate = "pi_" + proof.partition("_")[2]
        return candidate if candidate in self.payments else None

    def ensure_refund(
        self, payout: CardPayout, *, maybe_sent: bool = False, before_leap: Callable[[], None] = lambda: None
    ) -> PayoutOutcome:
        self._answer()
        if payout.idempotency_key not in self.refunds:
            before_leap()
            if self.takes_no_requests:
                raise TryAgain("the card processor takes no requests")
            if self.takes_no_requests_of_its_key:
                raise AccessRefused(StopCause.KEY_REFUSED, "the key may not make refunds")
            if self.stores_failures:
                self.stored.add(payout.idempotency_key)
            if payout.idempotency_key in self.stored:
                self.replays += 1
                raise FailureStored("the card processor repeats a stored failure", after_seconds=900)
            self.posts += 1
            self.requests[payout.idempotency_key] = payout
            self.refunds[payout.idempotency_key] = self.status_of_new.model_copy(
                update={"provider_ref": f"re_{self.posts}"}
            )
            if self.loses_answers:
                raise TryAgain("the card processor's answer was lost")
        return self.refunds[payout.idempotency_key]

    def look_at_refund(self, payout: CardPayout) -> PayoutOutcome | None:
        self._answer()
        self.looks += 1
        return self.refunds.get(payout.idempotency_key)

    def read_fraud_warnings(self, payment_intent: str) -> tuple[FraudWarning, ...]:
        self._answer()
        self.warning_reads += 1
        if not self.may_read_warnings:
            raise NeedsOperator(StatusReason.FACTS_UNAVAILABLE, "the key may not read warnings")
        return self.warnings

    def list_refunds(
        self, since: datetime, until: datetime | None, after: str | None
    ) -> tuple[tuple[ProviderRefund, ...], bool]:
        """Give one refund a page, newest first."""
        self._answer()
        inside = [it for it in self._told() if since <= it.created_at and (until is None or it.created_at < until)]
        refs = [it.ref for it in inside]
        left = inside[refs.index(after) + 1 :] if after in refs else inside
        return tuple(left[:1]), len(left) > 1

    def undelivered_events(self, since: datetime, after: str | None) -> EventPage:
        """Give one event a page."""
        self._answer()
        number = 0 if after is None else 1 + [it.event_id for it in self.missed].index(after)
        page = self.missed[number : number + 1]
        more = number + 1 < len(self.missed)
        return EventPage(events=tuple(page), next=page[-1].event_id if more else None)

    def find_refund(self, ref: str) -> ProviderRefund | None:
        self._answer()
        return next((it for it in self._told() if it.ref == ref), None)

    def _told(self) -> list[ProviderRefund]:
        ours = [
            ProviderRefund(
                ref=outcome.provider_ref or "",
                payment_intent=self.requests[key].payment_intent,
                amount_minor=self.requests[key].amount_minor,
                currency=self.requests[key].currency,
                is_live=outcome.status in MOVED,
                is_done=outcome.status == PayoutStatus.SUCCEEDED,
                created_at=datetime.now(UTC),
                refund_id=self.requests[key].refund_id,
                attempt=self.requests[key].attempt,
            )
            for key, outcome in self.refunds.items()
        ]
        return [*self.foreign, *ours]

    def change(self, key: str, outcome: PayoutOutcome) -> None:
        """Let a refund that was made become something else at the processor."""
        self.refunds[key] = outcome.model_copy(update={"provider_ref": self.refunds[key].provider_ref})

    def moved(self) -> list[tuple[str, int]]:
        """List what left the processor: payment intent and amount in minor units of each live refund."""
        live = [self.requests[key] for key, outcome in self.refunds.items() if outcome.status in MOVED]
        return [(payout.payment_intent, payout.amount_minor) for payout in live]

    def _answer(self) -> None:
        if self.is_away:
            raise TryAgain("the card processor does not answer")
        if self.is_locked:
            raise AccessRefused(StopCause.KEY_REFUSED, "the key was revoked")


@dataclass
class FakeChain:
    """A chain whose blocks come when the test says so, or at once."""

    wallet: str = WALLET
    block_seconds: float | None = None
    deposits: dict[str, ChainPayment] = field(default_factory=dict)
    balance: int = 10**20
    nonce: int = 0
    sent: dict[str, bytes] = field(default_factory=dict)
    mined: dict[str, Sighting] = field(default_factory=dict)
    mines_at_once: bool = True
    mines_without_moving: bool = False
    refuses: set[str] = field(default_factory=set)
    """Receivers to whom a transfer would fail."""
    unclear_about: set[str] = field(default_factory=set)
    """Receivers of whom nothing can be told now."""
    is_away: bool = False
    disputes: str = ""
    """What two endpoints contradict each other on."""
    disputes_looks: bool = False
    fails_at: set[str] = field(default_factory=set)
    """Chain transactions at which a look meets a bug."""
    has_code: bool = False
    hides_counts: bool = False
    """Its count of nonces stands still, as a lagging node's."""
    dies_before_sending: bool = False
    signs_wrongly: bool = False
    in_pool: int = 0
    """Chain transactions of the wallet that are in no block, and not ours."""
    head: int = 9
    final: int | None = None
    nonce_finalized: int = 0
    first_nonce: int = 0
    """From which nonce on the wallet is ours, as people say."""
    fee_cap: int = 1000
    token_balances: dict[str, int] = field(default_factory=dict)
    foreign: dict[int, ForeignUse] = field(default_factory=dict)
    foreign_transfers: dict[str, SentTransfer] = field(default_factory=dict)
    """What chain transactions of the wallet moved that are not ours."""
    answers: SendAnswer | None = None
    """What the node says to bytes that it does not take."""
    broadcasts: list[str] = field(default_factory=list)
    looks: list[str] = field(default_factory=list)

    def add_deposit(
        self, tx_hash: str, amount: int, *, review: tuple[str, ...] = (), sender: str | None = SENDER
    ) -> None:
        self.deposits[tx_hash] = ChainPayment(
            settlement=Settlement.FINAL, block_number=7, sender=sender, amount_base_units=amount, review=review
        )

    def read_deposit(self, payment: ChainPaymentRef) -> ChainPayment:
        self._answer()
        return self.deposits.get(payment.tx_hash, ChainPayment(settlement=Settlement.MISSING))

    def knows(self, tx_hash: str) -> bool:
        self._answer()
        return tx_hash in self.deposits

    def quotes(
        self, outgoings: Sequence[Outgoing], view: WalletView | None = None
    ) -> list[TransferTerms | NeedsOperator | TryAgain]:
        return [self._quote(it) for it in outgoings]

    def _quote(self, outgoing: Outgoing) -> TransferTerms | NeedsOperator | TryAgain:
        if outgoing.to in self.refuses:
            return NeedsOperator(StatusReason.ROUTE_UNKNOWN, "the receiver refuses the money")
        if outgoing.to in self.unclear_about:
            return TryAgain("the estimate failed")
        return TransferTerms(gas=21_000, max_fee_per_gas_wei=10, max_priority_fee_per_gas_wei=1)

    def view(self, *, for_signing: bool = True) -> WalletView:
        self._answer()
        if self.disputes:
            raise EndpointsDisagree("the chain", self.disputes, {1: "yes", 2: "no"})
        used = [Transfer.model_validate_json(self.sent[tx_hash]).nonce + 1 for tx_hash in self.mined]
        latest = max([self.nonce, *([] if self.hides_counts else used)])
        final = self.head if self.final is None else self.final
        return WalletView(
            nonce_pending=latest + (self.in_pool if for_signing else 0),
            nonce_latest=latest,
            nonce_finalized=self.nonce_finalized,
            first_nonce=self.first_nonce,
            balance_base_units=self.balance if for_signing else 0,
            is_for_signing=for_signing,
            head_block=self.head,
            final_block=final,
            buried_block=final,
        )

    def wallet_has_code(self) -> bool:
        return self.has_code

    def token_balance(self, asset: str) -> int:
        return self.token_balances.get(asset, 0)

    def raised(self, terms: TransferTerms) -> TransferTerms | None:
        fee = -(-terms.max_fee_per_gas_wei * 9 // 8)
        if fee > self.fee_cap:
            return None
        tip = -(-terms.max_priority_fee_per_gas_wei * 9 // 8)
        return terms.model_copy(update={"max_fee_per_gas_wei": fee, "max_priority_fee_per_gas_wei": tip})

    def sign(self, transfer: Transfer) -> SignedTransfer:
        if self.signs_wrongly:
            raise BytesDiffer("the chain", ["their to is not what was asked"])
        return SignedTransfer(tx_hash=_hash(transfer), raw=transfer.model_dump_json().encode())

    sign_cancel = sign

    def require_faithful(self, outgoing: Outgoing, nonce: int, signed: SignedTransfer) -> None:
        stored = Transfer.model_validate_json(signed.raw)
        if (Outgoing.model_validate(stored.model_dump()), stored.nonce) != (outgoing, nonce):
            raise NeedsOperator(StatusReason.PAYOUT_REFUSED, "the bytes say something else")

    def broadcast(self, raw: bytes) -> SendAnswer:
        tx_hash = _hash(Transfer.model_validate_json(raw))
        if self.dies_before_sending:
            raise KeyboardInterrupt
        self.broadcasts.append(tx_hash)
        if self.answers is not None:
            return self.answers
        self.sent[tx_hash] = raw
        if self.mines_at_once:
            self.mine(tx_hash)
        return SendAnswer.SEEN

    def look(self, outgoing: Outgoing, tx_hash: str, view: WalletView | None = None) -> Sighting:
        self._answer()
        if self.disputes_looks:
            raise EndpointsDisagree("the chain", f"chain transaction {tx_hash}", {1: "a block", 2: "nothing"})
        if tx_hash in self.fails_at:
            raise ZeroDivisionError
        self.looks.append(tx_hash)
        return self.mined.get(tx_hash, Sighting(is_mined=False))

    def foreign_use(self, nonce: int, tx_hashes: tuple[str, ...]) -> ForeignUse | None:
        self._answer()
        return self.foreign.get(nonce)

    @property
    def last_sent(self) -> str:
        """Name the chain transaction that was sent last for the first time."""
        return list(self.sent)[-1]

    def read_transfer(self, tx_hash: str) -> SentTransfer | None:
        self._answer()
        seen = self.mined.get(tx_hash)
        if seen is None:
            return self.foreign_transfers.get(tx_hash)
        transfer = Transfer.model_validate_json(self.sent[tx_hash])
        return SentTransfer(
            tx_hash=tx_hash,
            nonce=transfer.nonce,
            to=transfer.to,
            asset=transfer.asset,
            amount_base_units=transfer.amount_base_units,
            succeeded=bool(seen.succeeded),
            is_final=seen.is_final,
            block_number=seen.block_number or 0,
        )

    def find_transfer(self, nonce: int) -> SentTransfer | None:
        mine = (tx_hash for tx_hash in self.mined if Transfer.model_validate_json(self.sent[tx_hash]).nonce == nonce)
        return next((self.read_transfer(tx_hash) for tx_hash in mine), None)

    def stands(self, tx_hash: str) -> bool:
        return True

    def mine(self, tx_hash: str, *, is_final: bool = True, is_buried: bool = True) -> None:
        """Put a sent transaction into a block."""
        self.mined[tx_hash] = Sighting(
            is_mined=True,
            block_number=9,
            block_hash="0xb",
            succeeded=not self.mines_without_moving,
            is_final=is_final,
            is_buried=is_buried,
        )

    def reorg(self, tx_hash: str) -> None:
        """Take a transaction out of its block."""
        del self.mined[tx_hash]

    def moved(self) -> list[tuple[str, int]]:
        """List what left the wallet: receiver and amount in base units of each successful transfer."""
        done = [tx_hash for tx_hash, seen in self.mined.items() if seen.succeeded]
        transfers = [Transfer.model_validate_json(self.sent[tx_hash]) for tx_hash in done]
        return [(transfer.to, transfer.amount_base_units) for transfer in transfers]

    def nonces(self) -> list[int]:
        """List the nonces of all transactions that were sent, in the order of their first sending."""
        return [Transfer.model_validate_json(raw).nonce for raw in self.sent.values()]

    def _answer(self) -> None:
        if self.is_away:
            raise TryAgain("the chain's endpoint does not answer")


def _hash(transfer: Transfer) -> str:
    """Name a chain transaction: another receiver, or another fee, is another one under the same nonce."""
    return f"0x{transfer.nonce:024x}{transfer.terms.max_fee_per_gas_wei:020x}{zlib.crc32(transfer.to.encode()):020x}"
