"""Steps on the crypto rail: wake the wallet, and the pump that signs, sends and looks."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Protocol

from temporalio import activity

from activities.errors import translated
from domain.errors import NeedsOperator, TryAgain
from domain.outbox import QueuedPayout, SentPayout, Sign
from domain.payouts import PayoutStatus
from domain.refunds import RefundState, StatusReason
from domain.runs import PumpReport, RefundKey, WalletKey
from domain.transfers import Outgoing, SendAnswer, Sighting, SignedTransfer, Transfer, TransferTerms, WalletView

logger = logging.getLogger("refunds.crypto")


class Chain(Protocol):
    """One chain with the wallet that pays on it."""

    def terms(self, outgoing: Outgoing) -> TransferTerms: ...

    def view(self) -> WalletView: ...

    def sign(self, transfer: Transfer) -> SignedTransfer: ...

    def broadcast(self, raw: bytes) -> SendAnswer: ...

    def look(self, outgoing: Outgoing, tx_hash: str) -> Sighting: ...


class Outbox(Protocol):
    """The wallet's payouts in our database."""

    def queued(self, chain_id: int, address: str) -> list[QueuedPayout]: ...

    def sign(
        self, queued: QueuedPayout, terms: TransferTerms, view: WalletView, sign: Sign
    ) -> SignedTransfer | None: ...

    def cannot_sign(self, queued: QueuedPayout, reason: StatusReason, detail: str) -> None: ...

    def low_on_funds(self, chain_id: int, address: str, needed: int, balance: int) -> None: ...

    def delay(self, queued: QueuedPayout, cause: str) -> None: ...

    def lose_nonce(self, sent: SentPayout) -> bool: ...

    def sent(self, chain_id: int, address: str) -> list[SentPayout]: ...

    def record_send(self, tx_hash: str, answer: SendAnswer) -> int: ...

    def record_sighting(self, sent: SentPayout, tx_hash: str | None, sighting: Sighting | None) -> bool: ...


class WalletRuns(Protocol):
    """Where wallet workflows are started and woken."""

    async def wake(self, key: WalletKey) -> None: ...


class Refunds(Protocol):
    """Where a refund's state is read."""

    def find(self, refund: str) -> RefundState | None: ...


class CryptoActivities:
    """Drives the outbox of chain payouts."""

    def __init__(
        self,
        *,
        chains: Mapping[int, Chain],
        outbox: Outbox,
        refunds: Refunds,
        wallet_runs: WalletRuns,
        block_seconds: float,
    ) -> None:
        self._chains = chains
        self._outbox = outbox
        self._refunds = refunds
        self._wallet_runs = wallet_runs
        self._block_seconds = block_seconds

    @activity.defn
    async def wake_wallet(self, key: RefundKey) -> RefundState:
        """Start the wallet's workflow, or wake it, because its outbox holds this refund's payout."""
        refund = await asyncio.to_thread(translated(self._refunds.find), key.refund_id)
        if refund is None or refund.chain_id is None or refund.wallet is None:
            raise ValueError(f"{key.refund_id} has no chain payout")
        wallet = WalletKey(chain_id=refund.chain_id, wallet=refund.wallet, block_seconds=self._block_seconds)
        await self._wallet_runs.wake(wallet)
        return refund

    @activity.defn
    @translated
    def pump(self, key: WalletKey) -> PumpReport:
        """Turn the outbox once: look at every known hash, send what is not in a block, sign what waits.

        Safe to run any number of times and twice at once: a nonce belongs to one payout for ever, and
        only stored bytes are ever sent. What is under way comes first: trouble with a new payout must
        not keep an older one from being seen.
        """
        chain = self._chains.get(key.chain_id)
        if chain is None:
            raise TryAgain(f"chain {key.chain_id} is not configured")
        sent = self._outbox.sent(key.chain_id, key.wallet)
        changed = [payout.refund_id for payout in sent if self._look_and_send(chain, payout)]
        if any(payout.status == PayoutStatus.UNKNOWN for payout in sent):
            changed += self._find_lost_nonces(key, chain)
        changed += self._sign_waiting(key, chain)
        fresh = {payout.nonce for payout in sent}
        for payout in self._outbox.sent(key.chain_id, key.wallet):
            if payout.nonce not in fresh and self._look_and_send(chain, payout):
                changed.append(payout.refund_id)
        left = self._outbox.queued(key.chain_id, key.wallet), self._outbox.sent(key.chain_id, key.wallet)
        return PumpReport(open_payouts=sum(len(payouts) for payouts in left), changed=tuple(changed))

    def _look_and_send(self, chain: Chain, sent: SentPayout) -> bool:
        """Look at all of a payout's hashes; send its newest bytes again while none is in a block."""
        for transaction in sent.transactions:
            sighting = chain.look(sent.outgoing, transaction.tx_hash)
            if sighting.is_mined:
                return self._outbox.record_sighting(sent, transaction.tx_hash, sighting)
        changed = self._outbox.record_sighting(sent, None, None)
        newest = sent.transactions[-1]
        answer = chain.broadcast(newest.raw)
        sends = self._outbox.record_send(newest.tx_hash, answer)
        # While it is in no block it is sent again with each turn, which is no news.
        logger.log(
            logging.INFO if sends == 1 else logging.DEBUG,
            "payout.broadcast",
            extra={
                "refund_id": sent.refund_id,
                "payout_attempt": sent.attempt,
                "nonce": sent.nonce,
                "tx_hash": newest.tx_hash,
                "answer": answer.value,
            },
        )
        return changed

    def _find_lost_nonces(self, key: WalletKey, chain: Chain) -> list[str]:
        """Bring payouts before a person whose nonce something else has finally used: they can never land."""
        view = chain.view()
        lost = [
            payout
            for payout in self._outbox.sent(key.chain_id, key.wallet)
            if payout.status == PayoutStatus.UNKNOWN and payout.nonce < view.nonce_finalized
        ]
        return [payout.refund_id for payout in lost if self._outbox.lose_nonce(payout)]

    def _sign_waiting(self, key: WalletKey, chain: Chain) -> list[str]:
        """Sign what waits and the balance covers; return refunds that cannot be signed and went to a person."""
        waiting = self._outbox.queued(key.chain_id, key.wallet)
        if not waiting:
            return []
        view = chain.view()
        under_way = self._outbox.sent(key.chain_id, key.wallet)
        balance = view.balance_base_units - sum(
            payout.cost_base_units_max for payout in under_way if payout.status == PayoutStatus.UNKNOWN
        )
        stuck: list[str] = []
        for queued in waiting:
            try:
                balance -= self._sign(key, chain, queued, view, balance)
            except TryAgain as error:  # this one waits; what a receiver's code does must not stop the others
                self._outbox.delay(queued, error.message)
            except NeedsOperator as error:
                if error.reason == StatusReason.RAIL_STOPPED:  # the key itself: no payout of this wallet can go
                    self._outbox.delay(queued, error.message)
                    continue
                self._outbox.cannot_sign(queued, StatusReason(error.reason), error.message)
                stuck.append(queued.refund_id)
        return stuck

    def _sign(self, key: WalletKey, chain: Chain, queued: QueuedPayout, view: WalletView, balance: int) -> int:
        """Sign one payout; return what it takes from the balance, 0 where it was not signed."""
        terms = chain.terms(queued.outgoing)
        needed = queued.outgoing.amount_base_units + terms.fee_wei_max
        if needed > balance:
            self._outbox.low_on_funds(key.chain_id, key.wallet, needed, balance)
            return 0
        return needed if self._outbox.sign(queued, terms, view, chain.sign) is not None else 0
