"""Collects what is judged: balances and blocks from the node itself, signed bytes from the journal, our rows."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from chaos.crypto.judge import Evidence, Move, PayoutRow
from chaos.databases import rows
from chaos.people import CREDIT_MINOR, People
from chaos.purses import Purse, Record
from chaos.rpc_journal import Raw

TRANSFER = keccak(text="transfer(address,uint256)")[:4]
TRANSFER_BYTES = 4 + 2 * 32


class Chain(Protocol):
    """The node, asked directly."""

    wallet: str

    def owns(self, purse: Purse) -> int: ...

    def head(self) -> int: ...

    def payouts_in(self, blocks: Sequence[int]) -> list[dict[str, Any]]: ...


def decoded(it: Raw) -> Move:
    """Read a signed, typed chain transaction from its bytes alone."""
    fields: Any = TypedTransaction.from_bytes(HexBytes(it.raw)).as_dict()
    return _move(
        tx_hash="0x" + keccak(hexstr=it.raw).hex(),
        nonce=int(fields["nonce"]),
        to="0x" + bytes(fields["to"]).hex(),
        wei=int(fields["value"]),
        data=bytes(fields["data"]),
        sender=str(Account.recover_transaction(HexBytes(it.raw))),
    )


@functools.cache
def nonce_of(raw: str) -> int:
    """Read the nonce of signed bytes."""
    return int(TypedTransaction.from_bytes(HexBytes(raw)).as_dict()["nonce"])


@dataclass(frozen=True)
class AtRest:
    """What the chain showed when nothing was open any more."""

    balances: dict[str, int]
    nonces: list[int]


def at_rest(chain: Chain, records: Sequence[Record]) -> AtRest:
    """Read the chain before anything is sent again."""
    return AtRest(
        balances={it.purse.owner: chain.owns(it.purse) for it in records},
        nonces=[int(it["nonce"], 16) for it in chain.payouts_in(range(chain.head() + 1))],
    )


def stored_hashes(url: str) -> frozenset[str]:
    """Return the hashes of all signed bytes that our database knows."""
    return frozenset(it["tx_hash"] for it in rows(url, "SELECT tx_hash FROM chain_transactions"))


def collect(
    *,
    chain: Chain,
    rest: AtRest,
    raws: Sequence[Raw],
    records: Sequence[Record],
    people: People,
    database_url: str,
    first_nonce: int,
    quiet_seconds: float | None,
) -> Evidence:
    """Read everything once."""
    payouts = rows(database_url, "SELECT refund_id, attempt, status, nonce, destination FROM payouts")
    holds = rows(database_url, "SELECT refund_id FROM holds WHERE state = 'active'")
    refunds = {refund for record in records for refund in record.refunds}
    return Evidence(
        records=records,
        wallet=chain.wallet,
        first_nonce=first_nonce,
        balances_at_rest=rest.balances,
        nonces_at_rest=rest.nonces,
        balances={it.purse.owner: chain.owns(it.purse) for it in records},
        moves=[_mined(it) for it in chain.payouts_in(range(chain.head() + 1))],
        signed=[decoded(it) for it in raws],
        statuses={refund: str(people.seen(refund).get("status")) for refund in refunds},
        books={it.purse.account: people.books(it.purse) for it in records},
        payouts=[
            PayoutRow(it["refund_id"], it["attempt"], it["status"], it["nonce"], it["destination"]) for it in payouts
        ],
        stored=stored_hashes(database_url),
        active_holds=frozenset(it["refund_id"] for it in holds),
        credit_minor=CREDIT_MINOR,
        quiet_seconds=quiet_seconds,
    )


def _mined(it: dict[str, Any]) -> Move:
    return _move(
        tx_hash=it["hash"],
        nonce=int(it["nonce"], 16),
        to=it["to"] or "",
        wei=int(it["value"], 16),
        data=bytes.fromhex(it["input"].removeprefix("0x")),
        sender=it["from"],
    )


def _move(*, tx_hash: str, nonce: int, to: str, wei: int, data: bytes, sender: str) -> Move:
    """Read whom a chain transaction pays, and in what: a token's `transfer` names both in its data."""
    if len(data) == TRANSFER_BYTES and data.startswith(TRANSFER) and wei == 0:
        paid, amount = "0x" + data[16:36].hex(), int.from_bytes(data[36:])
        return Move(tx_hash, nonce, paid, amount, sender, asset=str(to_checksum_address(to)))
    return Move(tx_hash, nonce, to, wei, sender)
