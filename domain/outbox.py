"""Chain payouts on their way out: first without a nonce, then with signed bytes, and when to send and look again."""

from collections.abc import Callable
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from domain.errors import NeedsOperator, TryAgain
from domain.payouts import PayoutStatus
from domain.transfers import Outgoing, SendAnswer, SignedTransfer, Transfer, TransferTerms, WalletView

Sign = Callable[[Transfer], SignedTransfer]

# geth keeps 16 pending transactions of one sender in its pool; more would be dropped or stall behind a gap.
IN_FLIGHT_MAX = 16

RESEND_SECONDS_MAX = 60.0  # a pool that lost bytes gets them again within a minute

# A node that says so has this nonce taken, in its pool or in a block: what follows on it leaves no gap.
TAKEN = frozenset([SendAnswer.SEEN, SendAnswer.NONCE_LOW, SendAnswer.UNDERPRICED])


class QueuedPayout(BaseModel):
    """A payout without a nonce: certainly not sent."""

    model_config = ConfigDict(frozen=True)

    refund_id: str
    attempt: int
    outgoing: Outgoing
    is_over_limit: bool = False
    is_held_back: bool = False
    """People know already that a limit keeps it waiting."""


class QuotedPayout(BaseModel):
    """A payout without a nonce, and what it would cost now."""

    model_config = ConfigDict(frozen=True)

    queued: QueuedPayout
    terms: TransferTerms


SignAnswer = SignedTransfer | NeedsOperator | TryAgain | None
"""What came of asking for a nonce: stored bytes, the signer's error, or nothing where the payout may not go now."""


class Purpose(StrEnum):
    """What signed bytes of a payout's nonce are for."""

    PAY = "pay"
    CANCEL = "cancel"


class StoredTransfer(SignedTransfer):
    """Signed bytes as they stand in our database, one of several under the same nonce."""

    sequence: int = 1
    purpose: Purpose = Purpose.PAY
    terms: TransferTerms
    sends: int = 0
    is_taken: bool = False
    """A node once said that it has the nonce."""
    last_answer: SendAnswer | None = None
    first_sent_block: int | None = None
    waited_seconds: float | None = None
    """Since they were first sent."""
    rested_seconds: float | None = None
    """Since they were last sent."""

    def is_due(self, block_seconds: float) -> bool:
        """Tell whether to send again: at once what was never sent, then ever more slowly."""
        if self.rested_seconds is None:
            return True
        pause = min(block_seconds * 2.0 ** min(self.sends, 16), RESEND_SECONDS_MAX)
        return self.rested_seconds >= pause

    def is_stuck(self, view: WalletView, seconds: float, blocks: int) -> bool:
        """Tell whether it waited so long, in time and in blocks, that its fee must be too low.

        What the wallet cannot pay for waits for money: each raise would only make it dearer.
        """
        if self.waited_seconds is None or self.first_sent_block is None:
            return False
        if self.last_answer == SendAnswer.FUNDS_TOO_LOW:
            return False
        return self.waited_seconds >= seconds and view.head_block - self.first_sent_block >= blocks


class SentPayout(BaseModel):
    """A payout with a nonce: all its signed bytes, the newest last."""

    model_config = ConfigDict(frozen=True)

    refund_id: str
    attempt: int
    nonce: int
    status: PayoutStatus
    outgoing: Outgoing
    transactions: tuple[StoredTransfer, ...] = Field(repr=False)
    tx_hash: str | None = None
    block_number: int | None = None
    """Where one of its transactions was last seen; None where none was, or is not any more."""
    is_cancel_asked: bool = False
    is_suspected: bool = False
    """Something else seems to have used its nonce."""

    @property
    def newest(self) -> StoredTransfer:
        return self.transactions[-1]

    @property
    def tx_hashes(self) -> tuple[str, ...]:
        return tuple(it.tx_hash for it in self.transactions)

    @property
    def is_mined(self) -> bool:
        return self.block_number is not None

    @property
    def likeliest_first(self) -> list[StoredTransfer]:
        """Return its bytes in the order in which to look for them: the seen one, then from the newest on."""
        return sorted(self.transactions, key=lambda it: (it.tx_hash != self.tx_hash, -it.sequence))

    def moves(self, transaction: StoredTransfer) -> Outgoing:
        """Return what one of its transactions must move."""
        return self.outgoing if transaction.purpose == Purpose.PAY else self.outgoing.cancel

    def is_worth_a_look(self, view: WalletView) -> bool:
        """Tell whether a look may show something new: the count of nonces says so for all payouts at once.

        It only saves questions: now and then all payouts are looked at, whatever a count says.
        """
        is_used = view.nonce_latest > self.nonce
        if self.block_number is None:
            return is_used
        is_final = self.status not in (PayoutStatus.UNKNOWN, PayoutStatus.PENDING)
        awaited = view.buried_block if is_final else view.final_block
        return not is_used or awaited >= self.block_number
