"""Whether the address that sent a deposit can be paid back: who it is, what stands there, and who forbids it."""

from dataclasses import dataclass, field

from domain.errors import TryAgain
from domain.payments import CodeKind
from gateways.evm.node import Node
from gateways.evm.reasons import (
    SENDER_IS_CONTRACT,
    SENDER_IS_CUSTODIAL,
    SENDER_IS_NOBODY,
    SENDER_IS_OURS,
    SENDER_IS_SANCTIONED,
)
from gateways.evm.settings import ChainSettings, read_addresses

NO_CODE = "0x"
# EIP-7702: an account whose key signed such a designator still belongs to that key.
DELEGATION_PREFIX, DELEGATION_LENGTH = "0xef0100", len("0x") + 2 * 23
# The zero address, which a mint names, and those of precompiled contracts: nobody holds a key to them.
NOBODY_MAX = 0xFFFF


@dataclass(frozen=True)
class Judged:
    """What is to be said of a sender, with what stood at its address in the deposit's block and stands there now.

    `code_then` is `FORGOTTEN` where the node lost that state, which only an archive node keeps for days. What
    stands there now decides then: no contract can sign a chain transaction (EIP-3607), so a signer without code
    now had none then, or a delegation that its key has since taken back.
    """

    code_then: CodeKind | None = None
    code_now: CodeKind | None = None
    nonce: int | None = None
    review: list[str] = field(default_factory=list)
    hold: list[str] = field(default_factory=list)
    refuse: list[str] = field(default_factory=list)

    @property
    def seen(self) -> dict[str, object]:
        """Return what of it is evidence."""
        return {"code_then": self.code_then, "code_now": self.code_now, "sender_nonce": self.nonce}

    @property
    def may_be_a_contract_gone(self) -> bool:
        """Tell whether nothing shows that a key stands behind this address: no code, and nothing ever signed."""
        return self.code_now == CodeKind.NONE and self.code_then != CodeKind.CONTRACT and self.nonce == 0


def judge_sender(node: Node, settings: ChainSettings, sender: str, block_number: int) -> Judged:
    """Judge an address that a deposit came from, by the chain and by the lists of the settings."""
    if sender in settings.ours:
        return Judged(refuse=[SENDER_IS_OURS])
    if int(sender, 16) <= NOBODY_MAX:
        return Judged(refuse=[SENDER_IS_NOBODY])
    then, now = code_kind(node.code_at(sender, block_number)), code_kind(node.code(sender))
    nonce = node.transaction_count_at(sender, block_number)
    if nonce is None:
        nonce = node.transaction_count(sender, "latest")
    review = [SENDER_IS_CONTRACT] if CodeKind.CONTRACT in (then, now) else []
    if sender in settings.custodial or nonce > settings.custodial_nonce:
        review.append(SENDER_IS_CUSTODIAL)
    hold = [SENDER_IS_SANCTIONED] if is_sanctioned(settings, sender) else []
    return Judged(code_then=then, code_now=now, nonce=nonce, review=review, hold=hold)


def is_sanctioned(settings: ChainSettings, address: str) -> bool:
    """Tell whether nobody may be paid at an address; `TryAgain` while the list cannot be read."""
    if settings.sanctioned_file is None:
        return False
    try:
        return address in read_addresses(settings.sanctioned_file)
    except ValueError as error:
        raise TryAgain(f"The list of sanctioned addresses for {settings.name}: {error}.") from None


def code_kind(code: str | None) -> CodeKind:
    """Name what a node answered as the code at an address."""
    if code is None:
        return CodeKind.FORGOTTEN
    if code == NO_CODE:
        return CodeKind.NONE
    is_delegation = code.startswith(DELEGATION_PREFIX) and len(code) == DELEGATION_LENGTH
    return CodeKind.DELEGATION if is_delegation else CodeKind.CONTRACT
