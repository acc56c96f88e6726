"""The compiled contracts: each belongs to the source beside it, and answers as that source says."""

import hashlib
from collections.abc import Iterator

import pytest

from devstack.chain import Anvil, account, anvil_command, free_port
from devstack.contracts.contract import HERE, compiled, deploy

OWNER, OTHER = account(1).address, account(3).address
SOURCES = sorted(HERE.glob("*.vy"))


@pytest.fixture(scope="module")
def anvil() -> Iterator[Anvil]:
    port = free_port()
    with Anvil(anvil_command(port, None, block_time_seconds=None), port) as running:
        yield running


@pytest.mark.parametrize("source", SOURCES, ids=lambda it: it.stem)
def test_compiled_contract_belongs_to_the_source_beside_it_and_can_be_made(source: object, anvil: Anvil) -> None:
    path = next(it for it in SOURCES if it == source)

    contract = deploy(anvil.call, path.stem, sender=OWNER)

    assert compiled(path.stem)["source_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert anvil.call("eth_getCode", contract.address, "latest") != "0x"


@pytest.mark.parametrize(
    ("name", "received", "answered"),
    [
        pytest.param("UsdcLike", 10_000, 1, id="true and the whole amount"),
        pytest.param("UsdtLike", 10_000, None, id="nothing and the whole amount"),
        pytest.param("FalseReturning", 10_000, 1, id="true while it does not refuse"),
        pytest.param("FeeOnTransfer", 9_900, 1, id="true and less than was sent"),
    ],
)
def test_token_moves_what_it_says(name: str, received: int, answered: int | None, anvil: Anvil) -> None:
    token = deploy(anvil.call, name, sender=OWNER)
    token.send("mint", OWNER, 10_000, sender=OWNER)

    call = {"from": OWNER, "to": token.address, "data": token.data("transfer", OTHER, 10_000)}
    answer = anvil.call("eth_call", call, "latest")
    token.send("transfer", OTHER, 10_000, sender=OWNER)

    assert token.ask("balanceOf", OTHER) == received
    assert (None if answer == "0x" else int(answer, 16)) == answered
