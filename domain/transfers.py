"""A crypto payout on its way: terms, signed bytes, answers of a node, sightings in blocks."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from domain.money import NATIVE, BaseUnits


class Outgoing(BaseModel):
    """What one payout must move, and nothing else: quoted, signed, sent and looked for.

    `to` is an EIP-55 address derived from the deposit, never given; `asset` is `native` or a token's address.
    """

    model_config = ConfigDict(frozen=True)

    chain_id: int
    wallet: str
    to: str
    asset: str = NATIVE
    amount_base_units: BaseUnits

    @property
    def cancel(self) -> "Outgoing":
        """Return what closes this payout's nonce for good: nothing at all, to the wallet itself."""
        return Outgoing(chain_id=self.chain_id, wallet=self.wallet, to=self.wallet, amount_base_units=0)


class TransferTerms(BaseModel):
    """What one transfer would cost now. `gas` is the limit, fees are per gas in wei."""

    model_config = ConfigDict(frozen=True)

    gas: int
    max_fee_per_gas_wei: int
    max_priority_fee_per_gas_wei: int

    @property
    def fee_wei_max(self) -> int:
        return self.gas * self.max_fee_per_gas_wei


class Transfer(Outgoing):
    """One payout ready to be signed."""

    nonce: int = Field(ge=0)
    terms: TransferTerms


class SignedTransfer(BaseModel):
    """Signed bytes: a cheque that anyone may cash for ever, so they are stored before they are sent."""

    model_config = ConfigDict(frozen=True)

    tx_hash: str
    raw: bytes = Field(repr=False)


class WalletView(BaseModel):
    """The wallet as all endpoints show it at once. Nonces are counts of transactions, so also the next nonce.

    `latest` counts what is in blocks, `pending` what waits in the pool too, `finalized` what is in final blocks.
    Where endpoints differ without contradicting each other, heights, counts and balance are the lowest told; only
    `pending` is the highest, so that what one endpoint alone knows of this wallet is not overlooked.
    """

    model_config = ConfigDict(frozen=True)

    nonce_pending: int
    nonce_latest: int
    nonce_finalized: int
    balance_base_units: BaseUnits
    head_block: int = 0
    final_block: int = -1
    buried_block: int = -1
    has_code: bool = False
    is_for_signing: bool = True
    """Whether pool and balance were asked for. Where not, `nonce_pending` and balance say nothing."""
    first_nonce: int = 0
    """From which nonce on the wallet is ours, by the settings and not by the chain."""
    reading: int = 0
    """Which reading of the chain this is: looks that are given the same view share what they ask of its blocks,
    and transfers what they ask of fees."""


class ForeignUse(BaseModel):
    """The proof that something else used a nonce: every endpoint counts it as final, none knows our hashes."""

    model_config = ConfigDict(frozen=True)

    nonce: int
    finalized_nonces: tuple[int, ...]
    """What each endpoint counts, in the order of the settings."""
    final_block: int = 0
    """The highest block in which any of them calls it final: by there it was used."""
    buried_block: int = -1
    """Up to where blocks lie twice as deep as finality for all of them."""
    tx_hash: str | None = None
    """The foreign chain transaction, where an endpoint could still name it."""
    is_read: bool = False
    """What it moved could be read; what nobody can show may have paid just this payout."""
    is_paid_by_it: bool = False
    """It moved just what the payout was to move: bytes of ours that a restored database has forgotten."""


class SendAnswer(StrEnum):
    """What a node said to signed bytes: a hint, never a fact about money."""

    SEEN = "seen"
    NONCE_LOW = "nonce_low"
    UNDERPRICED = "underpriced"
    FEE_TOO_LOW = "fee_too_low"
    FUNDS_TOO_LOW = "funds_too_low"
    NOT_SENDABLE = "not_sendable"
    UNCLEAR = "unclear"


class Sighting(BaseModel):
    """One transaction hash looked up once; `is_final` and `is_buried` (twice as deep) need a canonical block."""

    model_config = ConfigDict(frozen=True)

    is_mined: bool
    block_number: int | None = None
    block_hash: str | None = None
    succeeded: bool | None = None
    moved_otherwise: str | None = None
    """In words, what a token moved instead of what was asked; then it has not succeeded."""
    is_final: bool = False
    is_buried: bool = False
