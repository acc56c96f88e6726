"""What the pump needs: a chain with the wallet that pays on it, and the wallet's payouts in our database."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from domain.differences import SentTransfer
from domain.errors import NeedsOperator, TryAgain
from domain.outbox import QueuedPayout, QuotedPayout, SentPayout, Sign, SignAnswer, StoredTransfer
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
from domain.wallets import PauseReason


class Chain(Protocol):
    """One chain with the wallet that pays on it. What its endpoints contradict each other on is no answer."""

    @property
    def wallet(self) -> str: ...

    @property
    def block_seconds(self) -> float | None: ...

    def view(self, *, for_signing: bool = True) -> WalletView: ...

    def wallet_has_code(self) -> bool: ...

    def token_balance(self, asset: str) -> int: ...

    def quotes(
        self, outgoings: Sequence[Outgoing], view: WalletView | None = None
    ) -> list[TransferTerms | NeedsOperator | TryAgain]: ...

    def raised(self, terms: TransferTerms) -> TransferTerms | None: ...

    def sign(self, transfer: Transfer) -> SignedTransfer: ...

    def sign_cancel(self, transfer: Transfer) -> SignedTransfer: ...

    def require_faithful(self, outgoing: Outgoing, nonce: int, signed: SignedTransfer) -> None: ...

    def broadcast(self, raw: bytes) -> SendAnswer: ...

    def look(self, outgoing: Outgoing, tx_hash: str, view: WalletView | None = None) -> Sighting: ...

    def foreign_use(self, nonce: int, tx_hashes: tuple[str, ...]) -> ForeignUse | None: ...

    def read_transfer(self, tx_hash: str) -> SentTransfer | None: ...


class Outbox(Protocol):
    """What waits for a nonce, what has one, and what nodes said to its bytes."""

    def queued(self, chain_id: int, address: str) -> list[QueuedPayout]: ...

    def sent(self, chain_id: int, address: str) -> list[SentPayout]: ...

    def record_sends(self, answers: Mapping[str, SendAnswer], head_block: int) -> None: ...

    def hold_back(self, queued: QueuedPayout) -> None: ...

    def cannot_sign(self, queued: QueuedPayout, reason: StatusReason, detail: str) -> None: ...

    def delay(self, queued: QueuedPayout, cause: str) -> None: ...

    def held_by_nonces(self, queued: QueuedPayout, view: WalletView) -> str | None: ...

    def unseen(self, sent: SentPayout, cause: str) -> None: ...

    def stuck(self, sent: SentPayout, cause: str) -> None: ...


class Signing(Protocol):
    """Nonces and signed bytes, stored before anything is sent."""

    def sign(
        self, quoted: Sequence[QuotedPayout], view: WalletView, sign: Sign, token_balances: Mapping[str, int]
    ) -> list[SignAnswer]: ...

    def raise_fee(self, sent: SentPayout, terms: TransferTerms, sign: Sign) -> SignedTransfer | None: ...

    def sign_cancel(self, sent: SentPayout, terms: TransferTerms, sign: Sign) -> SignedTransfer | None: ...


class Sightings(Protocol):
    """What the chain shows of payouts."""

    def record_sighting(
        self, sent: SentPayout, transaction: StoredTransfer | None, sighting: Sighting | None
    ) -> bool: ...

    def suspect(self, sent: SentPayout, proof: ForeignUse | None) -> bool: ...

    def distrust(self, sent: SentPayout, transaction: StoredTransfer, cause: str) -> bool: ...


class Wallets(Protocol):
    """What keeps a wallet from assigning nonces."""

    def watch(
        self, chain_id: int, address: str, view: WalletView | None, dispute: str | None, *, is_clear: bool = False
    ) -> None: ...

    def pause(self, chain_id: int, address: str, reason: PauseReason, evidence: dict[str, Any]) -> None: ...
