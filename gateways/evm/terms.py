"""What a transfer costs now: fees from the last blocks, gas from a simulation, both within the caps."""

from statistics import median_low

from domain.errors import NeedsOperator, TryAgain
from domain.refunds import StatusReason
from domain.transfers import SendAnswer, TransferTerms
from gateways.evm.answers import is_revert, read_send_error
from gateways.evm.endpoint import Endpoint
from gateways.evm.node import Node
from gateways.evm.settings import PLAIN_TRANSFER_GAS, ChainSettings

FEE_BLOCKS = 5  # about a minute on the slowest chains: long enough for a median, short enough for a spike
TIP_PERCENTILE = 50
TIP_WEI_MIN = 1_000_000  # geth's default `miner.gasprice` since 1.14; a smaller tip may never be mined
BASE_FEE_ROOM = 2  # six full blocks in a row raise the base fee by 12.5 % each, to just above twice
GAS_ROOM_PERCENT = 20  # a receiver's code may take another path when it really runs
FEE_WAIT_SECONDS = 60.0


def terms(endpoint: Endpoint, node: Node, settings: ChainSettings, to: str, amount_base_units: int) -> TransferTerms:
    """Quote one transfer of the native coin from the wallet."""
    history = node.fee_history(FEE_BLOCKS, TIP_PERCENTILE)
    # Empty blocks report a tip of nothing, which says nothing about what a tip costs.
    tips = [reward[0] for reward in history.reward if reward and reward[0] > 0]
    tip = max(median_low(tips) if tips else 0, TIP_WEI_MIN)
    fee = BASE_FEE_ROOM * history.base_fee_per_gas[-1] + tip
    if fee > settings.max_fee_per_gas_wei_cap:
        raise TryAgain(
            f"Gas on {settings.name} costs {fee} wei now, above the cap of "
            f"{settings.max_fee_per_gas_wei_cap}; the transfer waits until it is cheaper.",
            after_seconds=FEE_WAIT_SECONDS,
        )
    return TransferTerms(
        gas=_gas(endpoint, node, settings, to, amount_base_units),
        max_fee_per_gas_wei=fee,
        max_priority_fee_per_gas_wei=tip,
    )


def _gas(endpoint: Endpoint, node: Node, settings: ChainSettings, to: str, amount_base_units: int) -> int:
    """Return the gas limit: what the simulation used and some room, for code that may run at the receiver."""
    reply = endpoint.ask("eth_estimateGas", {"from": settings.wallet, "to": to, "value": hex(amount_base_units)})
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
    if estimate > settings.gas_cap:
        raise NeedsOperator(
            StatusReason.ROUTE_UNKNOWN,
            f"Paying the address that sent the deposit takes {estimate} gas on {settings.name}, "
            f"above the cap of {settings.gas_cap}.",
        )
    if estimate == PLAIN_TRANSFER_GAS and node.code(to) == "0x":
        return estimate
    with_room = -(-estimate * (100 + GAS_ROOM_PERCENT) // 100)
    return min(with_room, settings.gas_cap)
