"""Chains as a TOML file: what is taken, and which field and rule a fault names."""

from pathlib import Path

import pytest

from domain.errors import InvalidRequest
from gateways.evm.settings import checksummed, load_chains, read_addresses

DEPOSIT = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
TOKEN_ADDRESS = "0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0"
WALLET = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
CHAIN = f"""
[[chains]]
chain_id = 31337
name = "anvil"
rpc_urls = ["http://127.0.0.1:8545/key"]
finality = "finalized"
deposit_addresses = ["{DEPOSIT.lower()}"]
wallet = "{WALLET}"
min_amount_base_units = "1000000000000"
max_fee_per_gas_wei_cap = 500000000000
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "chains.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_file_is_read_and_addresses_are_stored_checksummed(tmp_path: Path) -> None:
    (chain,) = load_chains(written(tmp_path, CHAIN))

    assert chain.deposit_addresses == (DEPOSIT,)
    assert chain.wallet == WALLET
    assert chain.min_amount_base_units == 10**12
    assert (chain.min_depth, chain.gas_cap, chain.tokens) == (1, 100_000, ())
    assert chain.finality_depth is None
    assert chain.ours == {DEPOSIT, WALLET}


def test_depth_is_read_from_the_finality(tmp_path: Path) -> None:
    (chain,) = load_chains(written(tmp_path, CHAIN.replace("finalized", "depth:12")))

    assert chain.finality_depth == 12


def test_urls_are_not_shown(tmp_path: Path) -> None:
    (chain,) = load_chains(written(tmp_path, CHAIN))

    assert "8545" not in repr(chain)


@pytest.mark.parametrize(
    ("before", "after", "field", "rule"),
    [
        pytest.param(f'"{WALLET}"', '"vitalik.eth"', "chains.0.wallet", "address", id="a name"),
        pytest.param(WALLET, WALLET[:-1], "chains.0.wallet", "address", id="a digit too few"),
        pytest.param(WALLET, WALLET.replace("F4ce", "f4ce"), "chains.0.wallet", "eip55", id="a wrong case"),
        pytest.param(WALLET, "0x" + WALLET[2:].upper(), "chains.0.wallet", "eip55", id="all upper case"),
        pytest.param(WALLET, WALLET[2:], "chains.0.wallet", "address", id="no 0x"),
        pytest.param(WALLET, "0x" + 40 * "0", "chains.0.wallet", "address", id="the zero address"),
        pytest.param(WALLET, DEPOSIT, "chains.0", "wallet_stands_apart", id="wallet takes deposits"),
        pytest.param(DEPOSIT.lower(), "0x12", "chains.0.deposit_addresses.0", "address", id="short deposit"),
        pytest.param("http://", "ftp://", "chains.0.rpc_urls.0", "http_url", id="no http address"),
        pytest.param('["http://127.0.0.1:8545/key"]', "[]", "chains.0.rpc_urls", "too_short", id="no endpoint"),
        pytest.param(
            '/key"]', '/key", "HTTP://127.0.0.1:8545/key/"]', "chains.0.rpc_urls.1", "http_url", id="upper case"
        ),
        pytest.param(
            '/key"]', '/key", "http://127.0.0.1:8545/key/"]', "chains.0.rpc_urls", "unique", id="one endpoint twice"
        ),
        pytest.param("finality", "quorum = 2\nfinality", "chains.0.quorum", "quorum", id="a quorum of more than all"),
        pytest.param("finality", "quorum = 0\nfinality", "chains.0.quorum", "greater_than_equal", id="no quorum"),
        pytest.param(
            "finality",
            'transaction_type = "blob"\nfinality',
            "chains.0.transaction_type",
            "literal_error",
            id="another type of chain transaction",
        ),
        pytest.param(
            "min_amount",
            "max_priority_fee_per_gas_wei_cap = 500000000001\nmin_amount",
            "chains.0.max_priority_fee_per_gas_wei_cap",
            "tip_cap",
            id="more tip than fee",
        ),
        pytest.param("finalized", "safe", "chains.0.finality", "string_pattern_mismatch", id="safe"),
        pytest.param("finalized", "depth:0", "chains.0.finality", "string_pattern_mismatch", id="depth zero"),
        pytest.param('"1000000000000"', "0", "chains.0.min_amount_base_units", "greater_than_equal", id="dust"),
        pytest.param("500000000000", "1.5", "chains.0.max_fee_per_gas_wei_cap", "value_error", id="a float"),
        pytest.param("chain_id = 31337", "", "chains.0.chain_id", "missing", id="no chain id"),
        pytest.param("name =", "nmae =", "chains.0.name", "missing", id="a slip of the pen"),
        pytest.param("[[chains]]", "[[chain]]", "chains", "missing", id="another table"),
        pytest.param("[[chains]]", "[[chains", "chains", "toml", id="no TOML"),
        pytest.param("min_amount", 'tokens = ["USDC"]\nmin_amount', "chains.0.tokens.0", "model_type", id="a name"),
        pytest.param(
            "min_amount", "gas_cap = 20999\nmin_amount", "chains.0.gas_cap", "greater_than_equal", id="no gas"
        ),
        pytest.param("min_amount", "extra = 1\nmin_amount", "chains.0.extra", "extra_forbidden", id="unknown field"),
    ],
)
def test_fault_names_its_field_and_rule(before: str, after: str, field: str, rule: str, tmp_path: Path) -> None:
    assert before in CHAIN

    with pytest.raises(InvalidRequest) as caught:
        load_chains(written(tmp_path, CHAIN.replace(before, after)))

    assert (caught.value.field, caught.value.rule) == (field, rule)
    assert "8545/key" not in caught.value.message


TOKEN = f"""
[[chains.tokens]]
address = "{TOKEN_ADDRESS.lower()}"
symbol = "USDT"
decimals = 6
min_amount_base_units = "1000000"
blacklist = "isBlackListed"
"""


def test_token_is_read_and_found_by_its_checksummed_address(tmp_path: Path) -> None:
    (chain,) = load_chains(written(tmp_path, CHAIN + TOKEN))

    token = chain.token(TOKEN_ADDRESS)

    assert token is not None
    assert (token.symbol, token.decimals, token.gas_cap, token.blacklist) == ("USDT", 6, None, "isBlackListed")
    assert (chain.token("native"), chain.token(WALLET)) == (None, None)


@pytest.mark.parametrize(
    ("before", "after", "field", "rule"),
    [
        pytest.param(TOKEN_ADDRESS.lower(), "usdt.eth", "chains.0.tokens.0.address", "address", id="a name"),
        pytest.param(TOKEN_ADDRESS.lower(), 40 * "0", "chains.0.tokens.0.address", "address", id="no 0x"),
        pytest.param(TOKEN_ADDRESS.lower(), "0x" + 40 * "0", "chains.0.tokens.0.address", "address", id="zero"),
        pytest.param(TOKEN_ADDRESS.lower(), WALLET, "chains.0", "token_stands_apart", id="our own address"),
        pytest.param('"isBlackListed"', '"frozen"', "chains.0.tokens.0.blacklist", "literal_error", id="a question"),
        pytest.param(
            "decimals = 6", "decimals = -1", "chains.0.tokens.0.decimals", "greater_than_equal", id="decimals"
        ),
        pytest.param('"1000000"', "0", "chains.0.tokens.0.min_amount_base_units", "greater_than_equal", id="dust"),
        pytest.param(TOKEN, TOKEN + TOKEN, "chains.0", "unique", id="twice"),
        pytest.param(
            TOKEN,
            TOKEN + TOKEN.replace(TOKEN_ADDRESS.lower(), "0x" + 40 * "9"),
            "chains.0",
            "unique",
            id="one symbol",
        ),
    ],
)
def test_fault_of_a_token_names_its_field_and_rule(
    before: str, after: str, field: str, rule: str, tmp_path: Path
) -> None:
    assert before in TOKEN

    with pytest.raises(InvalidRequest) as caught:
        load_chains(written(tmp_path, CHAIN + TOKEN.replace(before, after)))

    assert (caught.value.field, caught.value.rule) == (field, rule)


def test_file_of_sanctioned_addresses_lies_beside_the_chains_file(tmp_path: Path) -> None:
    (tmp_path / "sanctioned.txt").write_text(f"# ours to keep\n\n{WALLET.lower()}  # somebody\n", encoding="utf-8")

    (chain,) = load_chains(written(tmp_path, CHAIN + 'sanctioned_file = "sanctioned.txt"'))

    assert chain.sanctioned_file == tmp_path / "sanctioned.txt"
    assert read_addresses(chain.sanctioned_file) == {WALLET}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(None, "cannot be read", id="no such file"),
        pytest.param(f"{WALLET}\nvitalik.eth\n", "line 2 of .* holds no address", id="a name"),
        pytest.param(WALLET[2:], "line 1 of .* holds no address", id="no 0x"),
    ],
)
def test_file_of_sanctioned_addresses_that_cannot_be_used_is_named(
    content: str | None, says: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "sanctioned.txt").write_text(content, encoding="utf-8")

    with pytest.raises(InvalidRequest, match=says) as caught:
        load_chains(written(tmp_path, CHAIN + 'sanctioned_file = "sanctioned.txt"'))

    assert (caught.value.field, caught.value.rule) == ("chains.0.sanctioned_file", "address_file")


def test_chain_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest) as caught:
        load_chains(written(tmp_path, CHAIN + CHAIN))

    assert (caught.value.field, caught.value.rule) == ("chains.1.chain_id", "unique")


def test_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"nowhere\.toml"):
        load_chains(tmp_path / "nowhere.toml")


def test_lower_case_and_checksummed_forms_are_one_address() -> None:
    assert checksummed(WALLET.lower()) == checksummed(WALLET) == WALLET
