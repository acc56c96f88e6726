"""The last look before and after a signature: the bytes must say what was asked, and nothing more."""

from eth_utils.crypto import keccak
from hexbytes import HexBytes

from domain.errors import BytesDiffer, NeedsOperator
from domain.money import NATIVE
from domain.refunds import StatusReason
from domain.transfers import Outgoing, SignedTransfer, Transfer, TransferTerms
from gateways.evm import erc20, fees
from gateways.evm.settings import PLAIN_TRANSFER_GAS, ZERO_ADDRESS, ChainSettings, checksummed
from gateways.evm.transactions import TYPES, Unsigned, is_cancel, read_signed, unsigned


def require_sane(transfer: Transfer, settings: ChainSettings) -> None:
    """Refuse to sign what the settings do not allow, whoever asks."""
    _require(_rules_of_place(transfer, settings) | _rules_of_payee(transfer, settings), settings)
    _require(_rules_of_terms(transfer, transfer.terms, settings), settings)


def require_sane_cancel(transfer: Transfer, settings: ChainSettings) -> None:
    """Refuse to sign anything as a cancelling chain transaction but nothing at all, to the wallet itself."""
    rules = {"it moves something, or to somebody": is_cancel(transfer)}
    _require(_rules_of_place(transfer, settings) | rules, settings)
    _require(_rules_of_terms(transfer, transfer.terms, settings), settings)


def require_faithful(
    outgoing: Outgoing,
    nonce: int,
    signed: SignedTransfer,
    settings: ChainSettings,
    terms: TransferTerms | None = None,
) -> None:
    """Read signed bytes back and compare; `BytesDiffer` where they say anything else than what they are for.

    Needs the stored bytes alone, so that they can be judged again just before they are first sent; with `terms`, gas
    and fees must be those very ones, without they must keep to the caps.
    """
    found = read_signed(signed.raw)
    if found is None:
        raise BytesDiffer(settings.name, ["they are no chain transaction of a type that binds it to its chain"])
    told = TransferTerms(
        gas=found.gas,
        max_fee_per_gas_wei=found.max_fee_per_gas_wei,
        max_priority_fee_per_gas_wei=found.max_priority_fee_per_gas_wei,
    )
    expected = unsigned(outgoing, nonce, terms or told, found.type)
    rules = {
        f"their {name} is not what was asked": getattr(found, name) == getattr(expected, name)
        for name in Unsigned.__dataclass_fields__
    }
    if terms is not None:
        rules["their type is not the chain's"] = found.type == TYPES[settings.transaction_type]
    if outgoing.asset != NATIVE:
        # Read back by other code than wrote it: one slip in the writing would show in both otherwise.
        asked = (outgoing.to, outgoing.amount_base_units)
        rules["they do not transfer the tokens that were asked"] = erc20.read_transfer_data(found.data) == asked
    rules["their hash is not theirs"] = signed.tx_hash == HexBytes(keccak(signed.raw)).to_0x_hex()
    rules |= _rules_of_place(outgoing, settings) | _rules_of_terms(outgoing, told, settings)
    if not is_cancel(outgoing):
        rules |= _rules_of_payee(outgoing, settings)
    broken = [rule for rule, holds in rules.items() if not holds]
    if broken:
        raise BytesDiffer(settings.name, broken)


def _rules_of_place(outgoing: Outgoing, settings: ChainSettings) -> dict[str, bool]:
    return {
        f"it is for chain {outgoing.chain_id}": outgoing.chain_id == settings.chain_id,
        "it is not from the configured wallet": outgoing.wallet == settings.wallet,
    }


def _rules_of_payee(outgoing: Outgoing, settings: ChainSettings) -> dict[str, bool]:
    tokens = [token.address for token in settings.tokens]
    return {
        "its token is not on the list": outgoing.asset in {NATIVE, *tokens},
        "its receiver is not an EIP-55 address": _is_checksummed(outgoing.to),
        "its receiver is our own or nobody": outgoing.to not in {*settings.ours, ZERO_ADDRESS},
        "its receiver is a token": outgoing.to not in tokens,
        "it moves nothing": outgoing.amount_base_units > 0,
    }


def _rules_of_terms(outgoing: Outgoing, terms: TransferTerms, settings: ChainSettings) -> dict[str, bool]:
    gas, fee, tip = terms.gas, terms.max_fee_per_gas_wei, terms.max_priority_fee_per_gas_wei
    caps, is_legacy = fees.caps(settings), settings.transaction_type == "legacy"
    return {
        "its gas is above the cap": 0 < gas <= settings.gas_cap_of(outgoing.asset),
        "its gas is not what a cancelling one takes": not is_cancel(outgoing) or gas == PLAIN_TRANSFER_GAS,
        "its fee is above the cap": 0 < fee <= caps.max_fee_per_gas_wei,
        "its tip is above its fee": 0 <= tip <= fee,
        "its tip is above the cap": tip <= caps.max_priority_fee_per_gas_wei,
        "its one price stands there as two": not is_legacy or tip == fee,
    }


def _is_checksummed(address: str) -> bool:
    try:
        return checksummed(address) == address
    except ValueError:
        return False


def _require(rules: dict[str, bool], settings: ChainSettings) -> None:
    broken = [rule for rule, holds in rules.items() if not holds]
    if broken:
        raise NeedsOperator(
            StatusReason.PAYOUT_REFUSED,
            f"The transfer on {settings.name} was not signed: {', '.join(broken)}.",
        )
