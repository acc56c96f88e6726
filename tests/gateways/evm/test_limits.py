"""Limits in the chains file: read per asset, in base units, and refused by name where they make no sense."""

from pathlib import Path

import pytest

from domain.errors import InvalidRequest
from domain.limits import AssetLimits
from domain.money import NATIVE
from gateways.evm.settings import limits_of, load_chains
from tests.gateways.evm.test_settings import CHAIN

LIMITS = '\n[chains.limits]\nrefund_max = "10"\nasset_day_max = "50"\nbalance_floor = "7"\n'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "chains.toml"
    path.write_text(text)
    return path


def test_limits_are_read_for_the_native_coin_and_none_are_the_default(tmp_path: Path) -> None:
    chains = load_chains(written(tmp_path, CHAIN + LIMITS))

    limits = limits_of(chains)

    assert limits.of(chains[0].chain_id, NATIVE) == AssetLimits(refund_max=10, asset_day_max=50, balance_floor=7)
    assert limits.of(chains[0].chain_id + 1, NATIVE) == AssetLimits()


@pytest.mark.parametrize(
    ("old", "new"),
    [('"10"', "1e3"), ('"10"', '"-1"'), ("refund_max", "refund_maximum")],
    ids=["not a whole number", "below nothing", "of no kind"],
)
def test_a_limit_that_makes_no_sense_is_named(tmp_path: Path, old: str, new: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        load_chains(written(tmp_path, CHAIN + LIMITS.replace(old, new)))

    assert (refused.value.field or "").startswith("chains.0.limits.refund_max")
