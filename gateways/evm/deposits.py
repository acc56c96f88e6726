"""Who sent a deposit: read from its own chain transaction, from nothing else, and never guessed."""

import re

from domain.errors import NeedsOperator
from domain.money import NATIVE
from domain.payments import ChainPayment, ChainPaymentRef, Settlement, TraceKind
from domain.refunds import StatusReason
from gateways.evm import traces
from gateways.evm.mined import Mined
from gateways.evm.node import Node
from gateways.evm.reasons import (
    BELOW_MINIMUM,
    NOT_A_PLAIN_TRANSFER,
    NOT_TRACEABLE,
    PAID_BY_CONTRACT,
    SEVERAL_PAYMENTS,
    WRONG_RECIPIENT,
)
from gateways.evm.senders import NO_CODE, judge_sender
from gateways.evm.settings import PLAIN_TRANSFER_GAS, ChainSettings
from gateways.evm.token_deposits import judge_token, read_credit
from gateways.evm.traces import Frame

# Legacy, EIP-2930, EIP-1559, EIP-4844, EIP-7702: the sender is recovered from a signature. Types that a layer 2
# adds name senders by rule (an L1 contract's alias, for one), to whom money would be lost.
SIGNED_TYPES = range(5)


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
    transaction = node.transaction(payment.tx_hash)
    if transaction is None or transaction.block_hash != receipt.block_hash:
        raise node.malformed()
    mined = Mined(node, settings, payment, transaction, receipt)
    return _judge_native(mined) if payment.asset == NATIVE else judge_token(mined)


def _judge_native(mined: Mined) -> ChainPayment:
    node, settings, transaction = mined.node, mined.settings, mined.transaction
    to, amount, block_number = transaction.to, transaction.value, mined.receipt.block_number
    if to is None or to not in settings.deposit_addresses:
        return _judge_elsewhere(mined)
    # A native payment has no log: named with one, a single payment could back two deposits.
    if transaction.type not in SIGNED_TYPES or mined.payment.log_index != -1:
        return mined.told(amount=amount, review=[NOT_A_PLAIN_TRANSFER])
    judged = judge_sender(node, settings, transaction.sender, block_number)
    if judged.refuse or amount < settings.min_amount_base_units:
        return mined.told(amount=amount, refuse=judged.refuse or [BELOW_MINIMUM])

    codes = (node.code_at(to, block_number), node.code(to))
    has_code, has_data = any(it not in (NO_CODE, None) for it in codes), transaction.input != NO_CODE
    is_plain = not has_data and not has_code and not _is_named_in_a_log(mined)
    return mined.told(
        amount=amount,
        # A call to a contract may be made by one for another; who paid is not in the chain transaction.
        sender=None if has_data and has_code else transaction.sender,
        review=judged.review if is_plain else [NOT_A_PLAIN_TRANSFER, *judged.review],
        hold=judged.hold,
        seen=judged.seen,
    )


def _judge_elsewhere(mined: Mined) -> ChainPayment:
    """Judge a chain transaction to somebody else: its code may have paid us, which only a trace would show.

    Exactly the gas of a plain transfer proves that no code ran, so that nobody else was paid by it.
    """
    node, settings, transaction = mined.node, mined.settings, mined.transaction
    ran_nothing = (
        transaction.to is not None
        and transaction.type in SIGNED_TYPES
        and transaction.input == NO_CODE
        and mined.receipt.gas_used == PLAIN_TRANSFER_GAS
        and node.code(transaction.to) == NO_CODE
    )
    if ran_nothing:
        is_ours = transaction.to in settings.ours
        return mined.told(review=[NOT_A_PLAIN_TRANSFER]) if is_ours else mined.told(refuse=[WRONG_RECIPIENT])
    frames = traces.read_frames(node, transaction.hash)
    if frames is None:
        gained = traces.gained(node, settings, mined.receipt.block_number)
        seen = {"trace": TraceKind.UNAVAILABLE, "balance_change_base_units": gained}
        return mined.told(review=[NOT_TRACEABLE], seen=seen)
    return _judge_frames(mined, traces.payments_to_us(settings, frames))


def _judge_frames(mined: Mined, paid: list[Frame]) -> ChainPayment:
    """Judge what code paid us. Whose code it was is shown; only an account that paid by its own is a sender."""
    seen: dict[str, object] = {"trace": TraceKind.AVAILABLE, "candidates": len(paid)}
    if len(paid) != 1:
        return mined.told(review=[SEVERAL_PAYMENTS if paid else NOT_A_PLAIN_TRANSFER], seen=seen)
    payer, amount = paid[0].sender, paid[0].value
    judged = judge_sender(mined.node, mined.settings, payer, mined.receipt.block_number)
    seen |= judged.seen | {"paid_by": payer}
    if judged.refuse or amount < mined.settings.min_amount_base_units:
        return mined.told(amount=amount, refuse=judged.refuse or [BELOW_MINIMUM], seen=seen)
    # EIP-7702: an account may run code of its choice in its own name, and what that pays, the account pays.
    is_own = payer == mined.transaction.sender and mined.transaction.type in SIGNED_TYPES
    return mined.told(
        amount=amount,
        sender=payer if is_own else None,
        review=[PAID_BY_CONTRACT, *judged.review],
        hold=judged.hold,
        seen=seen,
    )


def _is_named_in_a_log(mined: Mined) -> bool:
    """Tell whether a token came to us as well, so that this hash stands for several candidates."""
    credits = (read_credit(log) for log in mined.receipt.logs)
    return any(it is not None and it.to in mined.settings.deposit_addresses for it in credits)
