"""What a transfer costs now: fees from the last blocks, gas from a simulation, both within the caps."""

from domain.errors import NeedsOperator, TryAgain
from domain.money import NATIVE
from domain.refunds import StatusReason
from domain.transfers import Outgoing, SendAnswer, TransferTerms
from gateways.evm import erc20, fees, tokens
from gateways.evm.answers import is_revert, read_send_error
from gateways.evm.endpoint import Endpoint
from gateways.evm.node import Node
from gateways.evm.settings import PLAIN_TRANSFER_GAS, ChainSettings

GAS_ROOM_PERCENT = 20  # a receiver's code may take another path when it really runs
FEE_WAIT_SECONDS = 60.0


def terms(
    endpoint: Endpoint, node: Node, settings: ChainSettings, outgoing: Outgoing, market: fees.Fees
) -> TransferTerms:
    """Quote one transfer from the wallet; a token is first asked whether it would pay at all."""
    caps = fees.caps(settings)
    if market.max_fee_per_gas_wei > caps.max_fee_per_gas_wei:
        raise TryAgain(
            f"Gas on {settings.name} costs {market.max_fee_per_gas_wei} wei now, above the cap of "
            f"{caps.max_fee_per_gas_wei}; the transfer waits until it is cheaper.",
            after_seconds=FEE_WAIT_SECONDS,
        )
    if outgoing.asset != NATIVE:
        tokens.require_payable(node, settings, outgoing)
    return TransferTerms(
        gas=_gas(endpoint, node, settings, outgoing),
        max_fee_per_gas_wei=market.max_fee_per_gas_wei,
        # A smaller tip than others pay only costs time, and the head of the line is raised later.
        max_priority_fee_per_gas_wei=min(market.max_priority_fee_per_gas_wei, caps.max_priority_fee_per_gas_wei),
    )


def _gas(endpoint: Endpoint, node: Node, settings: ChainSettings, outgoing: Outgoing) -> int:
    """Return the gas limit: what the simulation used and some room, for code that may run at the receiver."""
    cap = settings.gas_cap_of(outgoing.asset)
    reply = endpoint.ask("eth_estimateGas", _call(outgoing))
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


def _call(outgoing: Outgoing) -> dict[str, str]:
    if outgoing.asset == NATIVE:
        return {"from": outgoing.wallet, "to": outgoing.to, "value": hex(outgoing.amount_base_units)}
    data = erc20.transfer_data(outgoing.to, outgoing.amount_base_units)
    return {"from": outgoing.wallet, "to": outgoing.asset, "data": "0x" + data.hex()}
