"""Who sent a deposit of a token: the `from` of the one log that credited us, never who signed around it."""

from dataclasses import dataclass, field, replace

from eth_utils.address import to_checksum_address

from domain.payments import ChainPayment, CodeKind, TraceKind
from gateways.evm import traces
from gateways.evm.mined import Mined
from gateways.evm.node import ChainTransaction, Log
from gateways.evm.reasons import (
    BELOW_MINIMUM,
    LOG_DIFFERS,
    NOT_A_PLAIN_TRANSFER,
    SENDER_IS_CONTRACT,
    SENDER_NEVER_SIGNED,
    SENDER_PASSED_ON,
    SEVERAL_PAYMENTS,
    TOKEN_HAS_NO_CODE,
    TOKEN_NOT_LISTED,
    TOKEN_TAKES_A_FEE,
    WRONG_RECIPIENT,
)
from gateways.evm.senders import NO_CODE, Judged, judge_sender
from gateways.evm.settings import Token
from gateways.evm.token_answers import WORD, imitated, obstacles, selector

# keccak256 of "Transfer(address,address,uint256)", ERC-20.
TRANSFER_TOPIC = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


@dataclass(frozen=True)
class Credit:
    """One log by which a token says that somebody paid somebody."""

    token: str
    sender: str
    to: str
    value: int
    log_index: int


@dataclass(frozen=True)
class _Found:
    """The log that the deposit is, and what is to be said of how it was found."""

    credit: Credit
    beside: list[Credit]
    """All that tokens say was paid in this chain transaction."""
    candidates: int
    review: list[str] = field(default_factory=list)


def judge_token(mined: Mined) -> ChainPayment:
    """Judge a final chain transaction that is said to have paid us in a token."""
    node, settings = mined.node, mined.settings
    token = settings.token(mined.payment.asset)
    if token is None:
        return mined.told(refuse=[TOKEN_NOT_LISTED], seen={"imitates": imitated(node, settings, mined.payment.asset)})
    if node.code(token.address) == NO_CODE:
        return mined.told(hold=[TOKEN_HAS_NO_CODE])
    found = _find(mined, token)
    return found if isinstance(found, ChainPayment) else _judge(mined, token, found)


def _find(mined: Mined, token: Token) -> _Found | ChainPayment:
    """Find the log that the deposit is: the one that its index names, or the only one there is."""
    ours, transaction = mined.settings.deposit_addresses, mined.transaction
    credits = [it for log in mined.receipt.logs if (it := read_credit(log)) is not None]
    mine = [it for it in credits if it.token == token.address and it.to in ours]
    is_paid_natively = transaction.value > 0 and transaction.to in ours
    candidates = sum(it.to in ours for it in credits) + is_paid_natively
    if not mine:
        to_wallet = any(it.token == token.address and it.to == mined.settings.wallet for it in credits)
        if to_wallet:
            return mined.told(review=[NOT_A_PLAIN_TRANSFER], seen={"candidates": candidates})
        return mined.told(refuse=[WRONG_RECIPIENT], seen={"candidates": candidates})
    index = mined.payment.log_index
    named = [it for it in mine if it.log_index == index]
    review = [LOG_DIFFERS] if index != -1 and not named else []
    if candidates > 1:
        review.append(SEVERAL_PAYMENTS)
    chosen = named or mine
    if len(chosen) > 1:
        return mined.told(review=review, seen={"candidates": candidates})
    return _Found(chosen[0], credits, candidates, review)


def _judge(mined: Mined, token: Token, found: _Found) -> ChainPayment:
    credit = found.credit
    told: dict[str, object] = {
        "log_index": credit.log_index,
        "received_base_units": credit.value,
        "candidates": found.candidates,
    }
    judged = judge_sender(mined.node, mined.settings, credit.sender, mined.receipt.block_number)
    if judged.refuse or credit.value < token.min_amount_base_units:
        return mined.told(amount=credit.value, refuse=judged.refuse or [BELOW_MINIMUM], seen=told)
    judged, trace = _look_behind(mined, found, judged)
    hold = [*judged.hold, *obstacles(mined.node, mined.settings, token, credit.sender)]
    sent = _sent(mined.transaction, token)
    if sent not in (None, credit.value):
        hold.append(TOKEN_TAKES_A_FEE)
    # What a token kept is neither the customer's fault nor ours to pay: a person compares, and no rule refuses.
    is_short = TOKEN_TAKES_A_FEE in hold and credit.value != mined.payment.amount_base_units
    return mined.told(
        amount=None if is_short else credit.value,
        sender=credit.sender,
        review=[*found.review, *judged.review],
        hold=hold,
        seen=told | judged.seen | {"sent_base_units": sent, "trace": trace},
    )


def _look_behind(mined: Mined, found: _Found, judged: Judged) -> tuple[Judged, TraceKind | None]:
    """Look whether the sender is a mere hand in between: a contract that just got the tokens, or one that is gone."""
    sender = found.credit.sender
    if CodeKind.CONTRACT in (judged.code_then, judged.code_now):
        got_it = any(it.token == found.credit.token and it.to == sender and it.value > 0 for it in found.beside)
        return replace(judged, hold=[*judged.hold, SENDER_PASSED_ON] if got_it else judged.hold), None
    if sender == mined.transaction.sender or not judged.may_be_a_contract_gone:
        return judged, None
    # A contract may be made, pay, and remove itself in one chain transaction: no block ever shows its code.
    frames = traces.read_frames(mined.node, mined.transaction.hash)
    if frames is None:
        return replace(judged, review=[SENDER_NEVER_SIGNED, *judged.review]), TraceKind.UNAVAILABLE
    if traces.was_made(frames, sender):
        return replace(judged, review=[SENDER_IS_CONTRACT, *judged.review]), TraceKind.AVAILABLE
    return judged, TraceKind.AVAILABLE


def read_credit(log: Log) -> Credit | None:
    """Read an ERC-20 transfer: three topics and 32 bytes of data; what ERC-721 writes has four and none."""
    if len(log.topics) != 3 or log.topics[0] != TRANSFER_TOPIC or len(log.data) != len("0x") + WORD:
        return None
    parties = [topic.removeprefix("0x") for topic in log.topics[1:]]
    if any(not party.startswith(24 * "0") for party in parties):
        return None
    sender, to = (to_checksum_address("0x" + party[24:]) for party in parties)
    return Credit(log.address, sender, to, int(log.data, 16), log.log_index)


def _sent(transaction: ChainTransaction, token: Token) -> int | None:
    """Return the amount that a plain call of the token asked to move; None for any other call."""
    if transaction.to != token.address:
        return None
    for function, words in (("transfer(address,uint256)", 2), ("transferFrom(address,address,uint256)", 3)):
        begin = "0x" + selector(function)
        if transaction.input.startswith(begin) and len(transaction.input) == len(begin) + words * WORD:
            return int(transaction.input[-WORD:], 16)
    return None
