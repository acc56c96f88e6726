"""What a node knows, read into types: blocks, chain transactions, receipts, code, counts and balances."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import AliasGenerator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from domain.errors import TryAgain
from gateways.evm.answers import is_history_missing, is_revert
from gateways.evm.endpoint import Asked, Question, Reply
from gateways.evm.settings import Address, ChainSettings


def _quantity(value: Any) -> int:
    """Read a JSON-RPC quantity: hexadecimal with 0x, at most 32 bytes."""
    if not isinstance(value, str) or not value.startswith("0x") or not 3 <= len(value) <= 66:
        raise ValueError("must be a hexadecimal quantity")
    return int(value, 16)


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


Quantity = Annotated[int, BeforeValidator(_quantity)]
Hash = Annotated[str, BeforeValidator(_lower), Field(pattern=r"^0x[0-9a-f]{64}$")]
HexBytes = Annotated[str, BeforeValidator(_lower), Field(pattern=r"^0x([0-9a-f]{2})*$")]
LowerAddress = Annotated[Address, BeforeValidator(_lower)]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=AliasGenerator(validation_alias=to_camel))


class Block(_Answer):
    """A block's place in the chain."""

    number: Quantity
    hash: Hash


class ChainTransaction(_Answer):
    """A chain transaction; `type` as in EIP-2718, `to` None where it makes a contract."""

    hash: Hash
    block_hash: Hash | None = None
    sender: LowerAddress = Field(validation_alias="from")
    to: LowerAddress | None = None
    value: Quantity
    input: HexBytes
    type: Quantity = 0
    nonce: Quantity | None = None


class Log(_Answer):
    """One event that a contract wrote; `log_index` counts within its block."""

    address: LowerAddress
    log_index: Quantity
    topics: tuple[Hash, ...]
    data: HexBytes


class Receipt(_Answer):
    """What became of a chain transaction in a block; `status` 1 is success."""

    transaction_hash: Hash
    block_hash: Hash
    block_number: Quantity
    to: LowerAddress | None = None
    status: Annotated[Quantity, Field(le=1)]
    gas_used: Quantity
    logs: tuple[Log, ...] = ()


class FeeHistory(_Answer):
    """Base fees of the last blocks and of the next one, and the tips that each block's percentile paid."""

    base_fee_per_gas: tuple[Quantity, ...] = Field(min_length=1)
    reward: tuple[tuple[Quantity, ...], ...] = ()


@dataclass(frozen=True)
class Heights:
    """Where the chain ends, and up to where it is final; -1 where nothing is final yet."""

    head: int
    final: int

    @property
    def buried(self) -> int:
        """Return up to where blocks lie at least twice as deep as finality asks."""
        return self.final - (self.head - self.final)


@dataclass(frozen=True)
class _Served:
    """Which chain an endpoint said that it serves, when, and after how many silences."""

    chain_id: int
    asked_at: float
    silences: int


_Model = TypeVar("_Model", bound=_Answer)

CHAIN_ID_SECONDS = 60.0  # one more call a minute, and nobody is believed for longer who became somebody else


def code_of(address: str) -> Question:
    """Return the question for the code at an address now."""
    return "eth_getCode", (address, "latest")


def call_of(to: str, data: bytes, sender: str | None = None) -> Question:
    """Return the question what a call would answer."""
    fields = {"to": to, "data": "0x" + data.hex()} | ({} if sender is None else {"from": sender})
    return "eth_call", (fields, "latest")


class Node:
    """Typed questions to one endpoint. Whatever is unclear or malformed is `TryAgain`."""

    def __init__(self, endpoint: Asked, settings: ChainSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._endpoint = endpoint
        self._settings = settings
        self._clock = clock
        self._served: _Served | None = None

    @property
    def name(self) -> str:
        return self._endpoint.name

    def chain_id(self) -> int:
        return self._number("eth_chainId")

    def proven_chain(self) -> int:
        """Return the chain that this endpoint serves.

        It is asked again after `CHAIN_ID_SECONDS`, and as soon as it has once not answered: whoever comes back at
        an address may be somebody else.
        """
        asked_at, silences = self._clock(), self._endpoint.silences
        known = self._served
        if known is None or known.silences != silences or asked_at - known.asked_at >= CHAIN_ID_SECONDS:
            known = _Served(self.chain_id(), asked_at, silences)
            self._served = known
        return known.chain_id

    def require_chain(self) -> None:
        """Make sure that the endpoint serves the chain we mean: what it says of another one misleads."""
        found = self.proven_chain()
        if found != self._settings.chain_id:
            self._served = None
            raise TryAgain(f"{self.name} serves chain {found} instead of {self._settings.chain_id}.")

    def receipt(self, tx_hash: str) -> Receipt | None:
        """Return the receipt, or None where there is none (some nodes answer one without a block)."""
        raw = self._endpoint.call("eth_getTransactionReceipt", tx_hash)
        if raw is None or (isinstance(raw, dict) and raw.get("blockHash") is None):
            return None
        receipt = self._read(Receipt, raw)
        self._require_same(receipt.transaction_hash, tx_hash)
        return receipt

    def transaction(self, tx_hash: str) -> ChainTransaction | None:
        raw = self._endpoint.call("eth_getTransactionByHash", tx_hash)
        if raw is None:
            return None
        transaction = self._read(ChainTransaction, raw)
        self._require_same(transaction.hash, tx_hash)
        return transaction

    def block_hash(self, number: int) -> str | None:
        """Return the hash of the block at a height, None where this chain is not that long here."""
        raw = self._endpoint.call("eth_getBlockByNumber", hex(number), False)
        if raw is None:
            return None
        block = self._read(Block, raw)
        if block.number != number:
            raise self.malformed()
        return block.hash

    def is_canonical(self, number: int, block_hash: str) -> bool:
        """Tell whether the chain has this very block at this height: a receipt may outlive a reorg."""
        return self.block_hash(number) == block_hash

    def heights(self) -> Heights:
        """Return the head and the highest block that is final and `min_depth` deep."""
        depth = self._settings.finality_depth
        final = None if depth is not None else self._block("finalized").number
        head = self._block("latest").number
        deep = head - max(depth or 0, self._settings.min_depth)
        return Heights(head=head, final=max(-1, deep if final is None else min(final, deep)))

    def code(self, address: str) -> str:
        """Return the code at an address now, `0x` for none."""
        method, params = code_of(address)
        return self._bytes(self._endpoint.call(method, *params))

    def code_at(self, address: str, block_number: int) -> str | None:
        """Return the code at an address after a block, None where the node no longer holds that state."""
        reply = self._endpoint.ask("eth_getCode", address, hex(block_number))
        if reply.error is not None and is_history_missing(reply.error):
            return None
        if reply.error is not None:
            raise TryAgain(f"{self._endpoint.name} refused eth_getCode: {reply.error}")
        return self._bytes(reply.result)

    def try_call(self, to: str, data: bytes, sender: str | None = None) -> bytes | str:
        """Run a call without sending it: what it answers, or the node's error in its words, as of a revert."""
        method, params = call_of(to, data, sender)
        reply = self._endpoint.ask(method, *params)
        if reply.error is not None:
            return reply.error
        try:
            return bytes.fromhex(self._bytes(reply.result).removeprefix("0x"))
        except ValueError:
            raise self.malformed() from None

    def transaction_count(self, address: str, block: str) -> int:
        return self._number("eth_getTransactionCount", address, block)

    def transaction_count_at(self, address: str, block_number: int) -> int | None:
        """Return the count after a block, None where the node no longer holds that state."""
        reply = self._endpoint.ask("eth_getTransactionCount", address, hex(block_number))
        if reply.error is not None and is_history_missing(reply.error):
            return None
        if reply.error is not None:
            raise TryAgain(f"{self._endpoint.name} refused eth_getTransactionCount: {reply.error}")
        return self.quantity(reply.result)

    def transactions_from(self, sender: str, block_number: int) -> list[ChainTransaction]:
        """List what one address sent in a block; what others sent may be of any shape and is not read."""
        mine = [it for it in self._listed(block_number) if _lower(it.get("from")) == sender.lower()]
        return [self._read(ChainTransaction, it) for it in mine]

    def transactions_between(self, addresses: Collection[str], block_number: int) -> list[ChainTransaction]:
        """List what one of some addresses sent or was sent in a block; the others are not read."""
        ours = {it.lower() for it in addresses}
        listed = self._listed(block_number)
        mine = [it for it in listed if ours & {_lower(it.get("from")), _lower(it.get("to"))}]
        return [self._read(ChainTransaction, it) for it in mine]

    def _listed(self, block_number: int) -> list[dict[str, Any]]:
        raw = self._endpoint.call("eth_getBlockByNumber", hex(block_number), True)
        listed = raw.get("transactions") if isinstance(raw, dict) else None
        if not isinstance(listed, list):
            raise self.malformed()
        return [it for it in listed if isinstance(it, dict)]

    def balance(self, address: str) -> int:
        return self._number("eth_getBalance", address, "latest")

    def gas_price(self) -> int:
        return self._number("eth_gasPrice")

    def balance_at(self, address: str, block_number: int) -> int | None:
        """Return the balance after a block, None where the node no longer holds that state."""
        reply = self._endpoint.ask("eth_getBalance", address, hex(block_number))
        if reply.error is not None and is_history_missing(reply.error):
            return None
        if reply.error is not None:
            raise self.refused("eth_getBalance", reply.error)
        return self.quantity(reply.result)

    def answer_of(self, contract: str, data: str) -> str | None:
        """Return what a contract answers to a question now; None where it has no such question, and reverts."""
        reply = self._endpoint.ask("eth_call", {"to": contract, "data": data}, "latest")
        if reply.error is not None and is_revert(reply.error):
            return None
        if reply.error is not None:
            raise self.refused("eth_call", reply.error)
        return self._bytes(reply.result)

    def ask(self, method: str, *params: Any) -> Reply:
        """Ask what not every node knows to answer; the error is the caller's to read."""
        return self._endpoint.ask(method, *params)

    def refused(self, method: str, error: str) -> TryAgain:
        return TryAgain(f"The {self._settings.name} endpoint refused {method}: {error}")

    def fee_history(self, blocks: int, percentile: int) -> FeeHistory:
        return self._read(FeeHistory, self._endpoint.call("eth_feeHistory", hex(blocks), "latest", [percentile]))

    def quantity(self, value: Any) -> int:
        try:
            return _quantity(value)
        except ValueError:
            raise self.malformed() from None

    def malformed(self) -> TryAgain:
        return TryAgain(f"{self._endpoint.name} sent an answer that makes no sense.")

    def _block(self, tag: str) -> Block:
        return self._read(Block, self._endpoint.call("eth_getBlockByNumber", tag, False))

    def _number(self, method: str, *params: Any) -> int:
        return self.quantity(self._endpoint.call(method, *params))

    def _bytes(self, value: Any) -> str:
        if not isinstance(value, str) or not value.startswith("0x"):
            raise self.malformed()
        return value.lower()

    def _read(self, model: type[_Model], raw: Any) -> _Model:
        try:
            return model.model_validate(raw)
        except ValidationError:
            raise self.malformed() from None

    def _require_same(self, found: str, asked: str) -> None:
        if found != asked:
            raise self.malformed()
