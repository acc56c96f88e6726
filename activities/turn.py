"""One turn of a wallet's pump: the steps, each safe to repeat, over one view of the chain."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from activities.nonces import ask_for_nonces, groups_to_try
from activities.outbox import Chain, Outbox, Sightings, Signing, Wallets
from domain.errors import BytesDiffer, EndpointsDisagree, NeedsOperator, TryAgain
from domain.outbox import IN_FLIGHT_MAX, TAKEN, Purpose, QueuedPayout, SentPayout, StoredTransfer
from domain.payouts import DEAD, PayoutStatus
from domain.policy import Handling
from domain.refunds import StatusReason
from domain.runs import PumpReport, WalletKey
from domain.transfers import ForeignUse, SendAnswer, WalletView
from domain.wallets import PauseReason

LOOK_AT_ALL_TURNS = 15  # the net below the counts of nonces, for an endpoint whose count stands still

logger = logging.getLogger("refunds.crypto")


@dataclass
class Turn:
    """What one turn knows: the chain as all its endpoints show it, and what came of the steps so far."""

    key: WalletKey
    chain: Chain
    outbox: Outbox
    signing: Signing
    sightings: Sightings
    wallets: Wallets
    handling: Handling
    view: WalletView | None = None
    dispute: str | None = None
    """What the endpoints contradict each other on; nothing is decided from it, and no nonce is assigned."""
    is_unclear: bool = False
    """Of some payout nothing could be told now; so nobody can say either that the endpoints agree."""
    unread: str | None = None
    """Why there is no view: without one no nonce is assigned, and what has one goes on being sent."""
    changed: list[str] = field(default_factory=list)
    _queue: list[QueuedPayout] | None = None
    """What waited when the turn began; what came later waits for the next view."""
    _line: list[SentPayout] | None = None
    """The payouts with nonces as they were read last; forgotten with every step that may have changed one."""

    def take_view(self) -> None:
        """Read the wallet and its chain, once for all payouts of this turn.

        After a change of wallets the chain counts the new one's nonces, which say nothing of the old one's payouts.
        """
        if self.chain.wallet != self.key.wallet:
            self.unread = f"{self.key.wallet} is not the wallet of chain {self.key.chain_id} any more"
            logger.error("wallet.unknown", extra={"chain_id": self.key.chain_id, "wallet": self.key.wallet})
            return
        is_for_signing = any(not it.is_over_limit for it in self._waiting())
        try:
            view = self.chain.view(for_signing=is_for_signing)
            # Code can come to an address at any time: it is asked for now and then, like at the start, and whenever a
            # nonce may be assigned, so that people who start the wallet again cannot overlook it.
            has_code = (self._is_full or is_for_signing) and self.chain.wallet_has_code()
            self.view = view.model_copy(update={"has_code": has_code})
        except EndpointsDisagree as error:
            self.dispute = self.unread = error.message
        except TryAgain as error:
            self.unread = error.message
            logger.warning("chain.unclear", extra={"chain_id": self.key.chain_id, "cause": error.message})

    def look(self) -> None:
        """Look for every payout of which a look may show something new, under all of its hashes."""
        for payout in self._sent():
            if self._is_full or self.view is None or payout.is_worth_a_look(self.view):
                self._forget()
                try:
                    self._tell(payout, self._look(payout))
                except EndpointsDisagree as error:
                    self.dispute = error.message
                except TryAgain as error:  # what is unclear about one must not keep the others from being seen
                    self.is_unclear = True
                    logger.warning("payout.unclear", extra={"refund_id": payout.refund_id, "cause": error.message})
                except Exception as error:
                    self.is_unclear = True
                    told = {"refund_id": payout.refund_id, "tx_hash": payout.tx_hash}
                    logger.error("payout.look_failed", extra=told, exc_info=error)
                    self.outbox.unseen(payout, f"{type(error).__name__} while it was looked for")

    def _look(self, payout: SentPayout) -> bool:
        for transaction in payout.likeliest_first:
            sighting = self.chain.look(payout.moves(transaction), transaction.tx_hash, self.view)
            if sighting.is_mined:
                return self.sightings.record_sighting(payout, transaction, sighting)
        return payout.is_mined and self._may_have_left(payout) and self.sightings.record_sighting(payout, None, None)

    def _may_have_left(self, payout: SentPayout) -> bool:
        """Tell whether a payout that is in no block any more may be called so; of a paid one it must be sure.

        While its nonce counts as used, an endpoint that hides receipts looks the same as a chain that left it out:
        then the nonce must be proven to have gone to something else.
        """
        if payout.status != PayoutStatus.SUCCEEDED:
            return True
        if self.view is None:
            return False
        return self.view.nonce_latest <= payout.nonce or self._is_used_elsewhere(payout)

    def find_lost_nonces(self) -> None:
        """Bring payouts before a person whose nonce something else has finally used: they can never land."""
        for payout in self._open():
            is_gone = self.view is not None and self.view.nonce_finalized > payout.nonce
            if (is_gone and self._is_full) or (payout.is_suspected and not is_gone):
                self._forget()
                self._tell(payout, self._suspect(payout, is_gone=is_gone))

    def _suspect(self, payout: SentPayout, *, is_gone: bool) -> bool:
        try:
            proof = self._foreign_use(payout) if is_gone else None
        except EndpointsDisagree as error:
            self.dispute, proof = error.message, None
        except TryAgain:
            proof = None  # an endpoint that does not answer may be the one that knows
        return self.sightings.suspect(payout, proof)

    def _foreign_use(self, payout: SentPayout) -> ForeignUse | None:
        proof = self.chain.foreign_use(payout.nonce, payout.tx_hashes)
        found = None if proof is None or proof.tx_hash is None else self.chain.read_transfer(proof.tx_hash)
        if proof is None:
            return None
        if found is None:
            return proof
        asked = (payout.outgoing.to, payout.outgoing.asset, payout.outgoing.amount_base_units)
        is_paid = found.succeeded and (found.to, found.asset, found.amount_base_units) == asked
        return proof.model_copy(update={"is_read": True, "is_paid_by_it": is_paid})

    def _is_used_elsewhere(self, payout: SentPayout) -> bool:
        return self.chain.foreign_use(payout.nonce, payout.tx_hashes) is not None

    def watch_wallet(self) -> None:
        """Pause the wallet where what the chain shows of it cannot be."""
        # Most turns look at few payouts: only one that looked at all can say that nobody contradicts any more.
        is_clear = self._is_full and self.view is not None and not self.is_unclear and self.dispute is None
        self.wallets.watch(self.key.chain_id, self.key.wallet, self.view, self.dispute, is_clear=is_clear)

    def sign_waiting(self) -> None:
        """Give nonces to what waits and may go, oldest first; each is stored with its bytes."""
        waiting = self._waiting()
        for queued in waiting:
            if queued.is_over_limit and not queued.is_held_back:
                self.outbox.hold_back(queued)
        if self.view is None or self.dispute is not None:
            for queued in waiting:
                self.outbox.delay(queued, self.dispute or self.unread or "")
            return
        may_go = [it for it in waiting if not it.is_over_limit]
        for group in groups_to_try(may_go, self._free_places(), self.key.turn):
            self._sign(group[: self._free_places()], self.view)

    def _sign(self, group: Sequence[QueuedPayout], view: WalletView) -> None:
        if not group:
            return
        answers = ask_for_nonces(self.chain, self.signing, group, view)
        self._forget()
        for queued, answer in zip(group, answers, strict=True):
            if isinstance(answer, TryAgain):
                self.outbox.delay(queued, answer.message)
            elif isinstance(answer, NeedsOperator):
                self._cannot_sign(queued, answer)
            elif answer is None and (cause := self.outbox.held_by_nonces(queued, view)) is not None:
                self.outbox.delay(queued, cause)

    def _cannot_sign(self, queued: QueuedPayout, error: NeedsOperator) -> None:
        if isinstance(error, BytesDiffer):
            self._distrust_signer(queued.refund_id, error)
        if error.reason == StatusReason.RAIL_STOPPED:  # the key itself: no payout of this wallet can go
            self.outbox.delay(queued, error.message)
            return
        self.outbox.cannot_sign(queued, StatusReason(error.reason), error.message)
        self.changed.append(queued.refund_id)

    def cancel_what_was_asked(self) -> None:
        """Store bytes that close a nonce, where a person asked for it and nothing has used the nonce yet."""
        for payout in self._open():
            is_free = self.view is not None and self.view.nonce_latest <= payout.nonce
            if is_free and payout.is_cancel_asked and payout.newest.purpose == Purpose.PAY:
                self._outbid(payout, Purpose.CANCEL)

    def raise_head(self) -> None:
        """Store bytes with higher fees for the head of the line, where it has waited too long for a block."""
        view = self.view
        # A nonce that something has used, whatever it was, stands no longer at the head of the line.
        head = next((it for it in self._open() if view is not None and view.nonce_latest <= it.nonce), None)
        if head is None or view is None or _is_silent(head):
            return
        if head.newest.is_stuck(view, self.handling.fee_raise_seconds, self.handling.fee_raise_blocks):
            self._outbid(head, head.newest.purpose)

    def _outbid(self, payout: SentPayout, purpose: Purpose) -> None:
        self._forget()
        try:
            terms = self.chain.raised(payout.newest.terms)
            if terms is None:
                self._stuck(payout, "the fee is at the chain's cap")
            elif purpose == Purpose.CANCEL:
                store = (
                    self.signing.raise_fee if payout.newest.purpose == Purpose.CANCEL else self.signing.sign_cancel
                )
                store(payout, terms, self.chain.sign_cancel)
            else:
                self.signing.raise_fee(payout, terms, self.chain.sign)
        except (TryAgain, NeedsOperator) as error:
            if isinstance(error, BytesDiffer):
                self._distrust_signer(payout.refund_id, error)
            self._stuck(payout, error.message)

    def _distrust_signer(self, refund_id: str, error: BytesDiffer) -> None:
        """Pause the wallet: nothing of it was stored or sent, and a signer that does this must sign nothing more."""
        evidence = {"refund_id": refund_id, "cause": error.message[:200]}
        self.wallets.pause(self.key.chain_id, self.key.wallet, PauseReason.BYTES_DIFFER, evidence)

    def _stuck(self, payout: SentPayout, cause: str) -> None:
        if self._is_full:
            self.outbox.stuck(payout, cause)

    def send_in_order(self) -> None:
        """Send what is in no block, the lowest nonce first; nothing overtakes a nonce that no node has taken.

        What nodes answered is written down at the end. Who dies before that sends the same bytes once more.
        """
        self._forget()  # what died meanwhile must not be sent
        answers: dict[str, SendAnswer] = {}
        try:
            for payout in self._open():
                if not self._send(payout, answers):
                    return
        finally:
            if answers:
                self.outbox.record_sends(answers, self.view.head_block if self.view else -1)

    def _send(self, payout: SentPayout, answers: dict[str, SendAnswer]) -> bool:
        """Send a payout's newest bytes if that is due; return whether the next nonce may follow."""
        newest = payout.newest
        is_used = self.view is not None and self.view.nonce_latest > payout.nonce
        is_taken = is_used or any(it.is_taken for it in payout.transactions)
        if _is_silent(payout) or not newest.is_due(self.key.block_seconds):
            return is_taken
        try:
            self.chain.require_faithful(payout.moves(newest), payout.nonce, newest)
        except NeedsOperator as error:
            self._tell(payout, self.sightings.distrust(payout, newest, error.message))
            return is_taken
        answer = answers[newest.tx_hash] = self.chain.broadcast(newest.raw)
        _log_sending(payout, newest, answer)
        return is_taken or answer in TAKEN

    def report(self) -> PumpReport:
        """Tell what is left to care for, and whose run has news."""
        left = len(self.outbox.queued(self.key.chain_id, self.key.wallet)) + len(self._sent())
        return PumpReport(open_payouts=left, changed=tuple(dict.fromkeys(self.changed)))

    @property
    def _is_full(self) -> bool:
        return self.key.turn % LOOK_AT_ALL_TURNS == 0

    def _waiting(self) -> list[QueuedPayout]:
        if self._queue is None:
            self._queue = self.outbox.queued(self.key.chain_id, self.key.wallet)
        return self._queue

    def _sent(self) -> list[SentPayout]:
        if self._line is None:
            self._line = self.outbox.sent(self.key.chain_id, self.key.wallet)
        return self._line

    def _forget(self) -> None:
        self._line = None

    def _open(self) -> list[SentPayout]:
        return [payout for payout in self._sent() if not payout.is_mined]

    def _free_places(self) -> int:
        return max(0, IN_FLIGHT_MAX - len(self._open()))

    def _tell(self, payout: SentPayout, has_news: bool) -> None:
        if has_news:
            self.changed.append(payout.refund_id)


def _is_silent(payout: SentPayout) -> bool:
    """Tell whether a payout must not be sent any more: a dead one could be paid a second time by its old bytes."""
    return payout.status in DEAD and payout.newest.purpose == Purpose.PAY


def _log_sending(payout: SentPayout, sent: StoredTransfer, answer: SendAnswer) -> None:
    # While it is in no block it is sent again and again, which is no news.
    logger.log(
        logging.INFO if sent.sends == 0 else logging.DEBUG,
        "payout.broadcast",
        extra={
            "refund_id": payout.refund_id,
            "payout_attempt": payout.attempt,
            "nonce": payout.nonce,
            "tx_hash": sent.tx_hash,
            "answer": answer.value,
        },
    )
