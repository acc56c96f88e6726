"""What the service must be told about a chain before it may read or pay there."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from eth_utils.address import is_checksum_address, is_hex_address, to_checksum_address
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from domain.errors import InvalidRequest
from domain.limits import AssetLimits, Limits
from domain.money import NATIVE, BaseUnits
from domain.refunds import invalid_request

PLAIN_TRANSFER_GAS = 21_000  # what a transfer costs that runs no code (Yellow Paper, G_transaction)
ZERO_ADDRESS = "0x" + 40 * "0"


def checksummed(value: str) -> str:
    """Return the EIP-55 form of an address; only that form itself or all lower case is taken.

    Anything else is refused, names above all: whoever answers for a name would choose where money goes.
    """
    if not is_hex_address(value) or not value.startswith("0x"):
        raise PydanticCustomError("address", "must be 0x and 40 hexadecimal digits; names are not looked up")
    if value != value.lower() and not is_checksum_address(value):
        raise PydanticCustomError("eip55", "must be written in EIP-55 mixed case or all in lower case")
    return to_checksum_address(value)


def _ours(value: str) -> str:
    address = checksummed(value)
    if address == ZERO_ADDRESS:
        raise PydanticCustomError("address", "must not be the zero address")
    return address


def _http_url(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise PydanticCustomError("http_url", "must start with http:// or https://")
    return value


Address = Annotated[str, AfterValidator(checksummed)]
OurAddress = Annotated[str, AfterValidator(_ours)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]


def read_addresses(path: Path) -> frozenset[str]:
    """Read a file of addresses, one a line, `#` before a remark; raise `ValueError` naming the line at fault."""
    found = set()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    for number, line in enumerate(lines, start=1):
        address = line.partition("#")[0].strip()
        if not address:
            continue
        if not is_hex_address(address) or not address.startswith("0x"):
            raise ValueError(f"line {number} of {path} holds no address")
        # Published lists write addresses in any case; here a slip of case must not let anybody through.
        found.add(to_checksum_address(address))
    return frozenset(found)


def _readable(value: Path, info: ValidationInfo) -> Path:
    path = Path(info.context["folder"], value) if info.context else value
    try:
        read_addresses(path)
    except ValueError as error:
        raise PydanticCustomError(
            "address_file", "must name a file of addresses: {why}", {"why": str(error)}
        ) from None
    return path


AddressFile = Annotated[Path, AfterValidator(_readable)]

SECRET_LENGTH_MIN = 16  # characters of a path or query that is long enough to be a key


class Token(BaseModel):
    """One ERC-20 token that is taken and paid back; a token that is not listed is worth nothing here.

    `blacklist` names the token's own question whether an address is frozen: USDT asks `isBlackListed`, USDC
    `isBlacklisted`. USDT pays a frozen receiver all the same, so that nothing but asking shows the loss.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    address: OurAddress
    symbol: str = Field(pattern=r"^[A-Za-z0-9.]{1,16}$")
    decimals: int = Field(ge=0, le=36, strict=True)
    min_amount_base_units: BaseUnits = Field(ge=1)
    gas_cap: int | None = Field(default=None, ge=PLAIN_TRANSFER_GAS, strict=True)
    """Instead of the chain's, for a token whose transfer takes more."""
    blacklist: Literal["isBlackListed", "isBlacklisted"] | None = None
    limits: AssetLimits = AssetLimits()
    """What may leave the wallet in this token."""


class ChainSettings(BaseModel):
    """One chain. `finality` is `finalized` (the node's own tag) or `depth:N` (N blocks on top)."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    chain_id: int = Field(ge=1, strict=True)
    name: str = Field(min_length=1, max_length=64)
    rpc_urls: tuple[HttpUrl, ...] = Field(min_length=1, repr=False)
    """Often hold a provider's key in their path, so they are never shown nor written to a log."""
    quorum: int | None = Field(default=None, ge=1, strict=True)
    """How many endpoints must answer, and agree, before anything is believed; all of them if not set."""
    transaction_type: Literal["dynamic_fee", "legacy"] = "dynamic_fee"
    """EIP-1559, or EIP-155 where the chain knows no other: both bind the signature to the chain id."""
    finality: str = Field(pattern=r"^(finalized|depth:[1-9][0-9]{0,5})$")
    min_depth: int = Field(default=1, ge=0, strict=True)
    """Blocks that must stand on top of one that counts as final, whatever `finality` says."""
    deposit_addresses: tuple[OurAddress, ...] = Field(min_length=1)
    wallet: OurAddress
    """The address that refunds are paid from; used by nothing else."""
    first_nonce: int = Field(default=0, ge=0, strict=True)
    """How many chain transactions the wallet had sent when our database began to own it: a fact that people know.
    What the chain counts is no answer, because a database that lost its memory would believe it."""
    block_seconds: float | None = Field(default=None, gt=0, le=3600)
    """How often there is a block, so how often the wallet is turned; the policy's for all chains if not set."""
    min_amount_base_units: BaseUnits = Field(ge=1)
    max_fee_per_gas_wei_cap: BaseUnits = Field(ge=1)
    max_priority_fee_per_gas_wei_cap: BaseUnits | None = Field(default=None, ge=1)
    """How much of the fee may be the tip; all of it if not set."""
    gas_cap: int = Field(default=100_000, ge=PLAIN_TRANSFER_GAS, strict=True)
    limits: AssetLimits = AssetLimits()
    """What may leave the wallet in the native coin; a token has its own."""
    tokens: tuple[Token, ...] = ()
    custodial: tuple[OurAddress, ...] = ()
    """Addresses of exchanges and other keepers, who may not credit what comes back to them."""
    custodial_nonce: int = Field(default=5000, ge=1, strict=True)
    """A sender that signed more than this many chain transactions is taken for a keeper, listed or not."""
    sanctioned_file: AddressFile | None = None
    """Addresses that nobody may be paid at, one a line; read again for each deposit, so that it can be kept up."""

    @field_validator("rpc_urls")
    @classmethod
    def _stand_for_themselves(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse an endpoint that is there twice: its second answer would prove nothing."""
        if len({url.rstrip("/").lower() for url in value}) < len(value):
            raise PydanticCustomError("unique", "must not name one endpoint twice")
        return value

    @field_validator("quorum")
    @classmethod
    def _can_be_reached(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and value > len(info.data.get("rpc_urls", ())):
            raise PydanticCustomError("quorum", "must not be more than there are endpoints")
        return value

    @field_validator("max_priority_fee_per_gas_wei_cap")
    @classmethod
    def _fits_into_the_fee(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and value > info.data.get("max_fee_per_gas_wei_cap", value):
            raise PydanticCustomError("tip_cap", "must not be more than max_fee_per_gas_wei_cap")
        return value

    @model_validator(mode="after")
    def _wallet_stands_apart(self) -> Self:
        if self.wallet in self.deposit_addresses:
            raise PydanticCustomError("wallet_stands_apart", "the wallet must not be a deposit address")
        return self

    @model_validator(mode="after")
    def _tokens_stand_apart(self) -> Self:
        for position, token in enumerate(self.tokens):
            others = self.tokens[:position]
            if token.address in (other.address for other in others):
                raise PydanticCustomError("unique", "tokens must not name one address twice")
            if token.symbol in (other.symbol for other in others):
                raise PydanticCustomError("unique", "tokens must not name one symbol twice")
            if token.address in self.ours:
                raise PydanticCustomError("token_stands_apart", "a token must not be one of our addresses")
        return self

    def token(self, asset: str) -> Token | None:
        """Return the token at an address; None for the native coin and for any other contract."""
        return next((token for token in self.tokens if token.address.lower() == asset.lower()), None)

    def gas_cap_of(self, asset: str) -> int:
        """Return how much gas a transfer of the coin or of a token may take."""
        token = self.token(asset)
        return self.gas_cap if token is None or token.gas_cap is None else token.gas_cap

    @property
    def secrets(self) -> list[str]:
        """Return what may be a key in the addresses of endpoints: providers put it into path, query or user."""
        found: list[str] = []
        for url in (urlsplit(str(url)) for url in self.rpc_urls):
            found += [part for part in (url.password, url.username) if part]
            found += [part for part in (*url.path.split("/"), url.query) if len(part) >= SECRET_LENGTH_MIN]
        return found

    @property
    def finality_depth(self) -> int | None:
        """Return N of `depth:N`, or None where the node's `finalized` tag decides."""
        return int(self.finality.removeprefix("depth:")) if self.finality.startswith("depth:") else None

    @property
    def ours(self) -> frozenset[str]:
        """Return every address whose owner is the merchant, so never a customer's."""
        return frozenset([*self.deposit_addresses, self.wallet])


class _ChainsFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    chains: tuple[ChainSettings, ...] = Field(min_length=1)


def load_chains(path: Path) -> tuple[ChainSettings, ...]:
    """Read the chains from a TOML file with one `[[chains]]` table each; the first fault is named."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidRequest("chains", "readable", f"{path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise InvalidRequest("chains", "toml", f"{path} is not a TOML file: {error}.") from None
    try:
        chains = _ChainsFile.model_validate(content, context={"folder": path.parent}).chains
    except ValidationError as error:
        raise invalid_request(error) from None
    chain_ids = [chain.chain_id for chain in chains]
    for position, chain_id in enumerate(chain_ids):
        if chain_id in chain_ids[:position]:
            raise InvalidRequest(f"chains.{position}.chain_id", "unique", f"chain {chain_id} is already there.")
    return chains


def limits_of(chains: Sequence[ChainSettings]) -> Limits:
    """Gather what may leave each chain's wallet, per asset."""
    native = {(chain.chain_id, NATIVE): chain.limits for chain in chains}
    tokens = {(chain.chain_id, token.address): token.limits for chain in chains for token in chain.tokens}
    return Limits(assets=native | tokens)
