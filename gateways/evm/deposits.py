"""Who sent a deposit: read from its own chain transaction, from nothing else, and never guessed."""

import re
from dataclasses import dataclass

from domain.errors import NeedsOperator
from domain.money import NATIVE
from domain.payments import ChainPayment, ChainPaymentRef, Settlement
from domain.refunds import StatusReason
from gateways.evm.node import ChainTransaction, Node, Receipt
from gateways.evm.settings import PLAIN_TRANSFER_GAS, ZERO_ADDRESS, ChainSettings

NO_CODE = "0x"
# EIP-7702: an account whose key signed such a designator still belongs to that key.
DELEGATION_PREFIX, DELEGATION_LENGTH = "0xef0100", len("0x") + 2 * 23
# keccak256 of "Transfer(address,address,uint256)", ERC-20.
TRANSFER_TOPIC = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
# Legacy, EIP-2930, EIP-1559, EIP-4844, EIP-7702: the sender is recovered from a signature. Types that a layer 2
# adds name senders by rule (an L1 contract's alias, for one), to whom money would be lost.
SIGNED_TYPES = range(5)

SENDER_IS_CONTRACT = "sender_is_contract"
SENDER_IS_DELEGATED = "sender_is_delegated"
NOT_A_PLAIN_TRANSFER = "not_a_plain_transfer"
ASSET_NOT_SUPPORTED = "asset_not_supported"
SENDER_IS_OURS = "sender_is_ours"
WRONG_RECIPIENT = "wrong_recipient"
BELOW_MINIMUM = "below_minimum"


def read_deposit(node: Node, settings: ChainSettings, payment: ChainPaymentRef) -> ChainPayment:
    """Follow a deposit from its hash to its sender, in the order in which each fact can be trusted.

    `FAILED` and `FINAL` are said only of a final block of the canonical chain; before that it is `PENDING`.
    """
    if payment.chain_id != settings.chain_id or not re.fullmatch(r"0x[0-9a-f]{64}", payment.tx_hash):
        raise NeedsOperator(
            StatusReason.FACTS_UNAVAILABLE,
            f"The payment names chain {payment.chain_id} and {payment.tx_hash!r}, "
            f"which is no transaction hash in lower case on chain {settings.chain_id}.",
        )
    node.require_chain()
    receipt = node.receipt(payment.tx_hash)
    if receipt is None:
        is_known = node.transaction(payment.tx_hash) is not None
        return ChainPayment(settlement=Settlement.PENDING if is_known else Settlement.MISSING)
    number = receipt.block_number
    if number > node.heights().final or not node.is_canonical(number, receipt.block_hash):
        return ChainPayment(settlement=Settlement.PENDING, block_number=number)
    if receipt.status == 0:
        return ChainPayment(settlement=Settlement.FAILED, block_number=number)
    if payment.asset != NATIVE:
        return _final(receipt, review=[ASSET_NOT_SUPPORTED])
    transaction = node.transaction(payment.tx_hash)
    if transaction is None or transaction.block_hash != receipt.block_hash:
        raise node.malformed()
    return _judge(node, settings, payment, transaction, receipt)


@dataclass(frozen=True)
class _Account:
    """An address with the code that stood there at the deposit and stands there now.

    `then` is None where the node forgot that state, which only an archive node keeps for days. What stands
    there now decides then: no contract can sign a chain transaction (EIP-3607), so a sender without code
    now had none then, or a delegation that its key has since taken back.
    """

    then: str | None
    now: str

    @property
    def has_code(self) -> bool:
        return any(code not in (NO_CODE, None) for code in (self.then, self.now))

    @property
    def review(self) -> list[str]:
        codes = [code for code in (self.then, self.now) if code not in (NO_CODE, None)]
        reasons = [SENDER_IS_DELEGATED if _is_delegation(code) else SENDER_IS_CONTRACT for code in codes]
        return list(dict.fromkeys(reasons))


def _judge(
    node: Node,
    settings: ChainSettings,
    payment: ChainPaymentRef,
    transaction: ChainTransaction,
    receipt: Receipt,
) -> ChainPayment:
    to, sender = transaction.to, transaction.sender
    if to is None or to not in settings.deposit_addresses:
        return _elsewhere(node, settings, transaction, receipt)
    if sender in settings.ours or sender == ZERO_ADDRESS:
        return _final(receipt, amount=transaction.value, refuse=[SENDER_IS_OURS])
    if transaction.value < settings.min_amount_base_units:
        return _final(receipt, amount=transaction.value, refuse=[BELOW_MINIMUM])
    # A native payment has no log: named with one, a single payment could back two deposits.
    if transaction.type not in SIGNED_TYPES or payment.log_index != -1:
        return _final(receipt, amount=transaction.value, review=[NOT_A_PLAIN_TRANSFER])

    receiver = _account(node, to, receipt.block_number)
    has_data = transaction.input != NO_CODE
    if has_data and receiver.has_code:
        # A call to a contract may be made by one for another; who paid is not in the chain transaction.
        return _final(receipt, amount=transaction.value, review=[NOT_A_PLAIN_TRANSFER])
    is_plain = not has_data and not receiver.has_code and not _names_us_in_a_log(settings, receipt)
    review = _account(node, sender, receipt.block_number).review
    if not is_plain:
        review = [NOT_A_PLAIN_TRANSFER, *review]
    return _final(receipt, amount=transaction.value, sender=sender, review=review)


def _elsewhere(node: Node, settings: ChainSettings, transaction: ChainTransaction, receipt: Receipt) -> ChainPayment:
    """Judge a chain transaction to somebody else: its code may have paid us, which only a trace would show.

    Exactly the gas of a plain transfer proves that no code ran, so that nobody else was paid by it.
    """
    ran_nothing = (
        transaction.to is not None
        and transaction.type in SIGNED_TYPES
        and transaction.input == NO_CODE
        and receipt.gas_used == PLAIN_TRANSFER_GAS
        and node.code(transaction.to) == NO_CODE
    )
    if ran_nothing and transaction.to not in settings.ours:
        return _final(receipt, refuse=[WRONG_RECIPIENT])
    return _final(receipt, review=[NOT_A_PLAIN_TRANSFER])


def _names_us_in_a_log(settings: ChainSettings, receipt: Receipt) -> bool:
    """Tell whether a token came to us as well, so that this hash stands for several candidates."""
    ours = {"0x" + address[2:].lower().rjust(64, "0") for address in settings.deposit_addresses}
    return any(
        len(log.topics) == 3 and log.topics[0] == TRANSFER_TOPIC and log.topics[2] in ours for log in receipt.logs
    )


def _account(node: Node, address: str, block_number: int) -> _Account:
    return _Account(then=node.code_at(address, block_number), now=node.code(address))


def _is_delegation(code: str | None) -> bool:
    return code is not None and code.startswith(DELEGATION_PREFIX) and len(code) == DELEGATION_LENGTH


def _final(
    receipt: Receipt,
    *,
    amount: int | None = None,
    sender: str | None = None,
    review: list[str] | None = None,
    refuse: list[str] | None = None,
) -> ChainPayment:
    return ChainPayment(
        settlement=Settlement.FINAL,
        block_number=receipt.block_number,
        sender=sender,
        amount_base_units=amount,
        review=tuple(review or ()),
        refuse=tuple(refuse or ()),
    )
