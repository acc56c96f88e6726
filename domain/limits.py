"""How much may leave a wallet, and what keeps a refund waiting when it is more."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from domain.money import BaseUnits


class Cap(StrEnum):
    """Which limit keeps a refund waiting."""

    REFUND = "refund"
    ASSET_DAY = "asset_day"
    ACCOUNT_DAY = "account_day"


class AssetLimits(BaseModel):
    """The limits of one asset on one chain, in its base units; None where nothing is capped. Days are UTC days."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    refund_max: BaseUnits | None = None
    asset_day_max: BaseUnits | None = None
    account_day_max: BaseUnits | None = None
    balance_floor: BaseUnits = 0
    """What must stay in the wallet, whatever is owed."""


class Limits(BaseModel):
    """The limits of every asset, by chain id and asset (`native` or the token's address)."""

    model_config = ConfigDict(frozen=True)

    assets: Mapping[tuple[int, str], AssetLimits] = {}

    def of(self, chain_id: int, asset: str) -> AssetLimits:
        """Return an asset's limits, which are none where none are configured."""
        return self.assets.get((chain_id, asset), AssetLimits())


class Breach(BaseModel):
    """The limit that a payout would break now; it is free again at `free_at`, or once the limit is raised."""

    model_config = ConfigDict(frozen=True)

    cap: Cap
    limit_base_units: int
    used_base_units: int
    free_at: datetime | None = None
