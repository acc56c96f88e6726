"""What a transfer costs now: fees from the last blocks, gas from a simulation, both within the caps."""

from collections.abc import Sequence

from domain.errors import NeedsOperator, TryAgain
from domain.money import NATIVE
from domain.refunds import StatusReason
from domain.transfers import Outgoing, SendAnswer, TransferTerms
from gateways.evm import erc20, fees, tokens
from gateways.evm.agreement import Member
from gateways.evm.answers import is_revert, read_send_error
from gateways.evm.endpoint import Question, TookTooLong
from gateways.evm.foretold import Foretold
from gateways.evm.node import Node
from gateways.evm.settings import PLAIN_TRANSFER_GAS, ChainSettings

GAS_ROOM_PERCENT = 20  # a receiver's code may take another path when it really runs
FEE_WAIT_SECONDS = 60.0


def terms_of_all(
    member: Member, settings: ChainSettings, outgoings: Sequence[Outgoing], market: fees.Fees
) -> list[TransferTerms | NeedsOperator | TryAgain]:
    """Quote transfers from the wallet, in their order, from one request; an error stands in its transfer's place."""
    cap = fees.caps(settings).max_fee_per_gas_wei
    if market.max_fee_per_gas_wei > cap:
        raise TryAgain(
            f"Gas on {settings.name} costs {market.max_fee_per_gas_wei} wei now, above the cap of {cap}; "
            "the transfer waits until it is cheaper.",
            after_seconds=FEE_WAIT_SECONDS,
        )
    node = _answering(member, settings, [question for it in outgoings for question in _questions(settings, it)])
    return [_terms_or_error(node, settings, it, market) for it in outgoings]


def _answering(member: Member, settings: ChainSettings, questions: Sequence[Question]) -> Node:
    """Return whom to ask these questions: one request has the answers already, unless it took too long.

    What the code of one receiver does to an estimate must not stop the others: then each is asked for alone.
    """
    try:
        return Node(Foretold(member.endpoint, questions), settings)
    except TookTooLong:
        if len(questions) == 1:
            raise
        member.node.require_chain()  # who does not answer this either says nothing, however it is asked
        return member.node


def _questions(settings: ChainSettings, outgoing: Outgoing) -> list[Question]:
    estimate = _estimate_of(outgoing)
    return [estimate] if outgoing.asset == NATIVE else [*tokens.questions(settings, outgoing), estimate]


def _terms_or_error(
    node: Node, settings: ChainSettings, outgoing: Outgoing, market: fees.Fees
) -> TransferTerms | NeedsOperator | TryAgain:
    try:
        return _terms(node, settings, outgoing, market)
    except (NeedsOperator, TryAgain) as error:
        return error


def _terms(node: Node, settings: ChainSettings, outgoing: Outgoing, market: fees.Fees) -> TransferTerms:
    """Quote one transfer from the wallet; a token is first asked whether it would pay at all."""
    if outgoing.asset != NATIVE:
        tokens.require_payable(node, settings, outgoing)
    tip = fees.caps(settings).max_priority_fee_per_gas_wei
    return TransferTerms(
        gas=_gas(node, settings, outgoing),
        max_fee_per_gas_wei=market.max_fee_per_gas_wei,
        # A smaller tip than others pay only costs time, and the head of the line is raised later.
        max_priority_fee_per_gas_wei=min(market.max_priority_fee_per_gas_wei, tip),
    )


def _gas(node: Node, settings: ChainSettings, outgoing: Outgoing) -> int:
    """Return the gas limit: what the simulation used and some room, for code that may run at the receiver."""
    cap = settings.gas_cap_of(outgoing.asset)
    method, params = _estimate_of(outgoing)
    reply = node.ask(method, *params)
    if reply.error is not None and read_send_error(reply.error) == SendAnswer.FUNDS_TOO_LOW:
        raise TryAgain(f"The wallet on {settings.name} holds too little for this transfer; it waits.")
    if reply.error is not None and is_revert(reply.error):
        raise NeedsOperator(
            StatusReason.ROUTE_UNKNOWN,
            f"The address that sent the deposit refuses to be paid on {settings.name}: {reply.error}",
        )
    if reply.error is not None:
        raise TryAgain(f"The {settings.name} endpoint refused eth_estimateGas: {reply.error}")
    estimate = node.quantity(reply.result)
    if estimate > cap:
        raise NeedsOperator(
            StatusReason.ROUTE_UNKNOWN,
            f"Paying the address that sent the deposit takes {estimate} gas on {settings.name}, "
            f"above the cap of {cap}.",
        )
    if estimate == PLAIN_TRANSFER_GAS:
        # Just what every transfer costs: the receiver has no code, or code that ends at once and knows no other path.
        return estimate
    return min(-(-estimate * (100 + GAS_ROOM_PERCENT) // 100), cap)


def _estimate_of(outgoing: Outgoing) -> Question:
    if outgoing.asset == NATIVE:
        fields = {"from": outgoing.wallet, "to": outgoing.to, "value": hex(outgoing.amount_base_units)}
    else:
        data = erc20.transfer_data(outgoing.to, outgoing.amount_base_units)
        fields = {"from": outgoing.wallet, "to": outgoing.asset, "data": "0x" + data.hex()}
    return "eth_estimateGas", (fields,)
