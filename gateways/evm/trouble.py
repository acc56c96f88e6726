"""What stands between the settings of a chain and work on it: told apart by who can mend it, a person or time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import EndpointsDisagree, NeedsOperator, TryAgain
from domain.refunds import StatusReason
from gateways.evm import sightings
from gateways.evm.agreement import Endpoints, Member
from gateways.evm.settings import ChainSettings

NO_CODE = "0x"
DECIMALS_CALL = "0x313ce567"  # the first four bytes of keccak256 of "decimals()", ERC-20


class TroubleKind(StrEnum):
    """Who can mend it. Only `misconfigured` keeps a worker from starting: an answer proved the settings wrong."""

    MISCONFIGURED = "misconfigured"
    WALLET_HAS_CODE = "wallet_has_code"
    ENDPOINTS_DISAGREE = "endpoints_disagree"
    AWAY = "away"


@dataclass(frozen=True)
class Trouble:
    """One thing that is wrong; `entry` is the field of the chain's table in the settings, as `tokens.1.address`."""

    kind: TroubleKind
    entry: str
    told: str


def inspect(endpoints: Endpoints, settings: ChainSettings) -> tuple[Trouble, ...]:
    """Ask the endpoints for all that the settings claim about them; what cannot be told now is `AWAY`."""
    found = [it for member, error in endpoints.each(_prove) if (it := _of_endpoint(member, error, settings))]
    if len(found) == len(endpoints.members):
        return tuple(found)
    wallet = settings.wallet
    code = _Asked(lambda: endpoints.agreed(f"the code at {wallet}", lambda node: node.code(wallet)), "wallet")
    if code.value not in (None, NO_CODE):
        # Nodes keep one chain transaction in flight for such a wallet, and its code may spend by itself.
        told = f"The wallet {wallet} on {settings.name} has code; refunds need a wallet without."
        found.append(Trouble(TroubleKind.WALLET_HAS_CODE, "wallet", told))
    found += code.trouble
    if not code.trouble:
        found += _Asked(lambda: str(sightings.view(endpoints, wallet, reading=0)), "rpc_urls").trouble
    for position, token in enumerate(settings.tokens):
        found += _of_token(endpoints, f"tokens.{position}", token.address, token.decimals)
    return tuple(dict.fromkeys(found))


def raise_worst(found: Sequence[Trouble]) -> None:
    """Raise the first of what a person must mend, else the first of what time can."""
    for trouble in found:
        if trouble.kind == TroubleKind.MISCONFIGURED:
            raise NeedsOperator(StatusReason.FACTS_UNAVAILABLE, f"{trouble.entry}: {trouble.told}")
        if trouble.kind == TroubleKind.WALLET_HAS_CODE:
            raise NeedsOperator(StatusReason.RAIL_STOPPED, trouble.told)
    if found:
        raise TryAgain(found[0].told) from None


class _Asked:
    """The answer to one question, or the trouble with it."""

    def __init__(self, question: Callable[[], str], entry: str) -> None:
        self.value: str | None = None
        self.trouble: list[Trouble] = []
        try:
            self.value = question()
        except EndpointsDisagree as error:
            self.trouble.append(Trouble(TroubleKind.ENDPOINTS_DISAGREE, entry, error.message))
        except TryAgain as error:
            self.trouble.append(Trouble(TroubleKind.AWAY, entry, error.message))


def _prove(member: Member) -> int:
    return member.node.proven_chain()


def _of_endpoint(member: Member, found: int | TryAgain, settings: ChainSettings) -> Trouble | None:
    entry = f"rpc_urls.{member.number - 1}"
    if isinstance(found, TryAgain):
        return Trouble(TroubleKind.AWAY, entry, found.message)
    if found != settings.chain_id:
        told = f"{member.endpoint.name} serves chain {found} instead of {settings.chain_id}."
        return Trouble(TroubleKind.MISCONFIGURED, entry, told)
    return None


def _of_token(endpoints: Endpoints, entry: str, address: str, decimals: int) -> list[Trouble]:
    """Make sure that there is a token: what is sent to an address without code succeeds and moves nothing."""
    entry_of_address = f"{entry}.address"
    code = _Asked(
        lambda: endpoints.agreed(f"the code at {address}", lambda node: node.code(address)), entry_of_address
    )
    if code.value == NO_CODE:
        return [Trouble(TroubleKind.MISCONFIGURED, entry_of_address, f"there is no contract at {address}.")]
    if code.trouble:
        return code.trouble
    what = f"the decimals of {address}"
    told = _Asked(lambda: endpoints.same(what, endpoints.ask(lambda it: _decimals(it, address))), f"{entry}.decimals")
    if told.value and told.value != str(decimals):
        wrong = f"the contract at {address} says {told.value} decimals instead of {decimals}."
        return [Trouble(TroubleKind.MISCONFIGURED, f"{entry}.decimals", wrong)]
    return told.trouble


def _decimals(member: Member, address: str) -> str:
    """Return a token's decimals, nothing where it does not tell: ERC-20 leaves them out of what must be there."""
    reply = member.endpoint.ask("eth_call", {"to": address, "data": DECIMALS_CALL}, "latest")
    text = reply.result if reply.error is None else ""
    return str(int(text, 16)) if isinstance(text, str) and len(text) == len("0x") + 64 else ""
