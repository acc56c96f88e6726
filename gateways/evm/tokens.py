"""A token's own word before a payout is signed: has it code, whom does it freeze, would it pay at all."""

from domain.errors import NeedsOperator, TryAgain
from domain.refunds import StatusReason
from domain.transfers import Outgoing
from gateways.evm import erc20
from gateways.evm.answers import is_revert
from gateways.evm.endpoint import Question
from gateways.evm.node import Node, call_of, code_of
from gateways.evm.settings import ChainSettings, Token

PAUSE_WAIT_SECONDS = 300.0  # a token stands still for hours or days, and every question costs


def require_token(node: Node, settings: ChainSettings, asset: str) -> Token:
    """Return the listed token, once its address is seen to have code.

    A call to an address without code succeeds and moves nothing.
    """
    token = settings.token(asset)
    if token is None:
        raise NeedsOperator(StatusReason.PAYOUT_REFUSED, f"The token {asset} is not on the list of {settings.name}.")
    if node.code(token.address) == "0x":
        raise _stopped(f"There is no token at {token.address} on {settings.name}: the address has no code.")
    return token


def balance(node: Node, settings: ChainSettings, asset: str, owner: str) -> int:
    """Return how much of a token an address owns."""
    reply = node.try_call(asset, erc20.question(erc20.BALANCE_OF, owner))
    number = None if isinstance(reply, str) else erc20.read_number(reply)
    if number is None:
        raise TryAgain(f"The token {asset} on {settings.name} did not tell a balance: {_words(reply)}.")
    return number


def questions(settings: ChainSettings, outgoing: Outgoing) -> list[Question]:
    """List what `require_payable` will ask where nothing is wrong; nothing of a token that is not listed."""
    token = settings.token(outgoing.asset)
    if token is None:
        return []
    is_listing = token.blacklist is not None
    frozen = [_is_frozen_call(token, it) for it in (outgoing.wallet, outgoing.to) if is_listing]
    return [code_of(token.address), *(call_of(*it) for it in frozen), call_of(*_transfer_call(outgoing))]


def require_payable(node: Node, settings: ChainSettings, outgoing: Outgoing) -> None:
    """Try the very call dry, from the wallet, and ask the token whom it freezes: some let frozen receivers be paid.

    `TryAgain` while the token stands still or the wallet holds too little; `NeedsOperator` where the receiver cannot
    be paid, and with `RAIL_STOPPED` where nobody can.
    """
    token = require_token(node, settings, outgoing.asset)
    if token.blacklist is not None:
        if _is_frozen(node, settings, token, outgoing.wallet):
            raise _stopped(f"{token.symbol} on {settings.name} has frozen our wallet {outgoing.wallet}.")
        if _is_frozen(node, settings, token, outgoing.to):
            raise NeedsOperator(
                StatusReason.ROUTE_UNKNOWN,
                f"{token.symbol} on {settings.name} has frozen the address that sent the deposit: what it were paid "
                "it could never use.",
            )
    reply = node.try_call(*_transfer_call(outgoing))
    if not isinstance(reply, str) and erc20.says_moved(reply):
        return
    if _is_paused(node, token):
        raise TryAgain(
            f"{token.symbol} on {settings.name} is paused; the transfer waits until it moves again.",
            after_seconds=PAUSE_WAIT_SECONDS,
        )
    if balance(node, settings, token.address, outgoing.wallet) < outgoing.amount_base_units:
        raise TryAgain(f"The wallet holds too little {token.symbol} on {settings.name}; the transfer waits.")
    if isinstance(reply, str) and not is_revert(reply):
        raise TryAgain(f"An endpoint of {settings.name} refused eth_call: {reply}")
    raise NeedsOperator(
        StatusReason.ROUTE_UNKNOWN,
        f"{token.symbol} on {settings.name} refuses to pay the address that sent the deposit: {_words(reply)}.",
    )


def _transfer_call(outgoing: Outgoing) -> tuple[str, bytes, str]:
    return outgoing.asset, erc20.transfer_data(outgoing.to, outgoing.amount_base_units), outgoing.wallet


def _is_frozen_call(token: Token, address: str) -> tuple[str, bytes]:
    return token.address, erc20.question(erc20.IS_BLACKLISTED[token.blacklist or ""], address)


def _is_frozen(node: Node, settings: ChainSettings, token: Token, address: str) -> bool:
    """Ask the token; where it gives no answer nobody is paid, because silence would let money be frozen."""
    reply = node.try_call(*_is_frozen_call(token, address))
    frozen = None if isinstance(reply, str) else erc20.read_truth(reply)
    if frozen is None:
        raise _stopped(f"{token.symbol} on {settings.name} does not answer {token.blacklist}: {_words(reply)}.")
    return frozen


def _is_paused(node: Node, token: Token) -> bool:
    reply = node.try_call(token.address, erc20.question(erc20.PAUSED))
    return not isinstance(reply, str) and erc20.read_truth(reply) is True


def _words(reply: bytes | str) -> str:
    if isinstance(reply, str):
        return reply
    return "it answered false" if erc20.read_truth(reply) is False else f"it answered 0x{reply.hex()[:64]}"


def _stopped(message: str) -> NeedsOperator:
    return NeedsOperator(StatusReason.RAIL_STOPPED, message)
