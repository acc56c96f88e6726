"""The error table, against what other nodes were seen or read to answer."""

import pytest

from domain.transfers import SendAnswer
from gateways.evm.answers import is_history_missing, is_revert, read_send_error


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        pytest.param("transaction already imported", SendAnswer.SEEN, id="anvil has it"),
        pytest.param("already known", SendAnswer.SEEN, id="geth has it"),
        pytest.param("known transaction: 0xabc", SendAnswer.SEEN, id="old geth has it"),
        pytest.param("Known transaction", SendAnswer.SEEN, id="Besu has it"),
        pytest.param("AlreadyKnown", SendAnswer.SEEN, id="Nethermind has it"),
        pytest.param("Transaction with the same hash was already imported.", SendAnswer.SEEN, id="Parity has it"),
        pytest.param(
            "known transaction. transaction with hash 0xab is already in the system",
            SendAnswer.SEEN,
            id="zkSync has it",
        ),
        pytest.param("submit error: Pool(AlreadyImported)", SendAnswer.SEEN, id="Substrate has it"),
        pytest.param("unknown transaction type", SendAnswer.UNCLEAR, id="unknown is not known"),
        pytest.param("Unknown transaction", SendAnswer.UNCLEAR, id="unknown in upper case is not known"),
        pytest.param("nonce too low", SendAnswer.NONCE_LOW, id="anvil and geth saw the nonce used"),
        pytest.param(
            "nonce too low: address 0x01 current nonce (7) > tx nonce (6)",
            SendAnswer.NONCE_LOW,
            id="Avalanche saw the nonce used",
        ),
        pytest.param("Nonce too low", SendAnswer.NONCE_LOW, id="Besu saw the nonce used"),
        pytest.param(
            "OldNonce, Current nonce: 22, nonce of rejected tx: 17",
            SendAnswer.NONCE_LOW,
            id="Nethermind saw the nonce used",
        ),
        pytest.param(
            "Transaction nonce is too low. Try incrementing the nonce.",
            SendAnswer.NONCE_LOW,
            id="Parity saw the nonce used",
        ),
        pytest.param("invalid transaction nonce", SendAnswer.NONCE_LOW, id="Arbitrum saw the nonce used"),
        pytest.param("submit error: Pool(Stale)", SendAnswer.NONCE_LOW, id="Substrate saw the nonce used"),
        pytest.param("transaction already finalized", SendAnswer.NONCE_LOW, id="Harmony saw the nonce used"),
        pytest.param("replacement transaction underpriced", SendAnswer.UNDERPRICED, id="geth holds another one"),
        pytest.param(
            "Transaction gas price 100wei is too low. There is another transaction with same nonce in the queue"
            " with gas price 150wei. Try increasing the gas price or incrementing the nonce.",
            SendAnswer.UNDERPRICED,
            id="Parity holds another one",
        ),
        pytest.param(
            "there is another tx which has the same nonce in the tx pool",
            SendAnswer.UNDERPRICED,
            id="Klaytn holds another one",
        ),
        pytest.param("OwnNonceAlreadyUsed", SendAnswer.UNDERPRICED, id="Nethermind holds another one"),
        pytest.param("transaction underpriced", SendAnswer.FEE_TOO_LOW, id="geth wants more"),
        pytest.param(
            "max fee per gas less than block base fee: address 0xA, maxFeePerGas: 1 baseFee: 2",
            SendAnswer.FEE_TOO_LOW,
            id="geth and anvil want the base fee",
        ),
        pytest.param("Gas price below configured minimum gas price", SendAnswer.FEE_TOO_LOW, id="Besu wants more"),
        pytest.param(
            "FeeTooLow, EffectivePriorityFeePerGas too low 10 < 20, BaseFee: 30",
            SendAnswer.FEE_TOO_LOW,
            id="Nethermind wants more",
        ),
        pytest.param("FeeTooLowToCompete", SendAnswer.FEE_TOO_LOW, id="Nethermind prefers others"),
        pytest.param(
            "Transaction gas price is too low. It does not satisfy your node's minimal gas price",
            SendAnswer.FEE_TOO_LOW,
            id="Parity wants more",
        ),
        pytest.param("gas price too low", SendAnswer.FEE_TOO_LOW, id="Arbitrum wants more"),
        pytest.param("Insufficient funds for gas * price + value", SendAnswer.FUNDS_TOO_LOW, id="anvil misses funds"),
        pytest.param(
            "insufficient funds for gas * price + value: address 0xA have 1 want 2",
            SendAnswer.FUNDS_TOO_LOW,
            id="geth misses funds",
        ),
        pytest.param(
            "InsufficientFunds, Account balance: 4, cumulative cost: 5",
            SendAnswer.FUNDS_TOO_LOW,
            id="Nethermind misses funds",
        ),
        pytest.param("Upfront cost exceeds account balance", SendAnswer.FUNDS_TOO_LOW, id="Besu misses funds"),
        pytest.param("not enough funds for gas", SendAnswer.FUNDS_TOO_LOW, id="Arbitrum misses funds"),
        pytest.param("intrinsic gas too low", SendAnswer.NOT_SENDABLE, id="geth counts too little gas"),
        pytest.param(
            "intrinsic gas too high -- tx.gas_limit > env.block.gas_limit",
            SendAnswer.NOT_SENDABLE,
            id="anvil counts too much gas",
        ),
        pytest.param("Intrinsic gas exceeds gas limit", SendAnswer.NOT_SENDABLE, id="Besu counts too little gas"),
        pytest.param(
            "Transaction gas is too low. There is not enough gas to cover minimal cost of the transaction",
            SendAnswer.NOT_SENDABLE,
            id="Parity counts too little gas",
        ),
        pytest.param("invalid chain id for signer", SendAnswer.NOT_SENDABLE, id="anvil is another chain"),
        pytest.param("invalid sender", SendAnswer.NOT_SENDABLE, id="geth is another chain"),
        pytest.param("Failed to decode transaction", SendAnswer.NOT_SENDABLE, id="anvil cannot decode"),
        pytest.param(
            "max priority fee per gas higher than max fee per gas",
            SendAnswer.NOT_SENDABLE,
            id="geth sees a tip above the fee",
        ),
        pytest.param("NonceGap, Future nonce. Expected nonce: 10", SendAnswer.UNCLEAR, id="a gap may close"),
        pytest.param("nonce too high", SendAnswer.UNCLEAR, id="a gap may close elsewhere too"),
        pytest.param("txpool is full", SendAnswer.UNCLEAR, id="a pool may empty"),
        pytest.param(
            "nonce too low: next nonce 7, tx nonce 6", SendAnswer.NONCE_LOW, id="reth and geth name the next nonce"
        ),
        pytest.param(
            "nonce too low. allowed nonce range: 7 - 27, actual: 6",
            SendAnswer.NONCE_LOW,
            id="zkSync saw the nonce used",
        ),
        pytest.param(
            "'insufficient funds for gas * price + value", SendAnswer.FUNDS_TOO_LOW, id="Mantle misses funds"
        ),
        pytest.param(
            "tx fee (1.20 ether) exceeds the configured cap (1.00 ether)",
            SendAnswer.UNCLEAR,
            id="this node's own cap",
        ),
        pytest.param("sequencer pending tx pool full, please try again", SendAnswer.UNCLEAR, id="a queue may empty"),
        pytest.param("502 Bad Gateway: html", SendAnswer.UNCLEAR, id="a gateway"),
        pytest.param("", SendAnswer.UNCLEAR, id="silence"),
    ],
)
def test_answers_to_signed_bytes_are_read_from_the_table(message: str, answer: SendAnswer) -> None:
    assert read_send_error(message) == answer
    assert read_send_error(message.upper()) == answer


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param("execution reverted: no thanks", True, id="geth"),
        pytest.param("VM execution error.", True, id="Parity"),
        pytest.param("Execution reverted", True, id="Besu"),
        pytest.param("gas required exceeds allowance (30000000)", True, id="geth with every amount of gas"),
        pytest.param("Out of gas: gas required exceeds allowance: 30000000", True, id="anvil"),
        pytest.param("limit exceeded", False, id="a provider's limit"),
        pytest.param("header not found", False, id="a node behind"),
    ],
)
def test_simulation_tells_a_receiver_that_refuses_from_a_node_in_trouble(message: str, expected: bool) -> None:
    assert is_revert(message) is expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param("missing trie node 0xabc (path ) state 0xdef is not available", True, id="geth"),
        pytest.param("historical state 0xabc is not available", True, id="geth with path storage"),
        pytest.param("No state available for block 12", True, id="Nethermind"),
        pytest.param("World state unavailable", True, id="Besu"),
        pytest.param("state at block #12 is pruned", True, id="reth"),
        pytest.param("BlockOutOfRangeError: block height is 9 but requested was 1", True, id="anvil after a restart"),
        pytest.param("the method eth_getCode is not available", False, id="a method switched off"),
        pytest.param("limit exceeded", False, id="a provider's limit"),
    ],
)
def test_forgotten_state_is_told_from_a_node_in_trouble(message: str, expected: bool) -> None:
    assert is_history_missing(message) is expected
