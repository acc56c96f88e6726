"""What nodes mean by the errors they answer: matched by message, because their codes differ and overlap."""

from domain.transfers import SendAnswer

# Lower-cased substrings, the first that fits decides, so longer ones stand before what they contain.
# Sources: anvil 1.7.1 (run); Chainlink `chains/evm/client/errors.go` and OpenZeppelin Relayer (read).
_SEND_ERRORS: tuple[tuple[str, SendAnswer], ...] = (
    # "unknown transaction type" and the like hold "known transaction" and mean the opposite.
    ("unknown transaction", SendAnswer.UNCLEAR),
    ("already imported", SendAnswer.SEEN),  # anvil; Parity, "… same hash was already imported"
    ("already known", SendAnswer.SEEN),  # geth, Erigon
    ("known transaction", SendAnswer.SEEN),  # Besu, old geth, Klaytn, zkSync
    ("alreadyknown", SendAnswer.SEEN),  # Nethermind
    ("pool(alreadyimported)", SendAnswer.SEEN),  # Substrate
    ("nonce too low", SendAnswer.NONCE_LOW),  # anvil, geth, Erigon, Besu, Avalanche, zkSync
    ("transaction nonce is too low", SendAnswer.NONCE_LOW),  # Parity
    ("oldnonce", SendAnswer.NONCE_LOW),  # Nethermind
    ("invalid transaction nonce", SendAnswer.NONCE_LOW),  # Arbitrum classic
    ("pool(stale)", SendAnswer.NONCE_LOW),  # Substrate
    ("transaction already finalized", SendAnswer.NONCE_LOW),  # Harmony
    # Another one of the same nonce is in the pool, which may be an older or newer one of ours.
    ("replacement transaction underpriced", SendAnswer.UNDERPRICED),  # anvil, geth, Erigon, Besu
    ("another transaction with same nonce", SendAnswer.UNDERPRICED),  # Parity
    ("another tx which has the same nonce", SendAnswer.UNDERPRICED),  # Klaytn
    ("ownnoncealreadyused", SendAnswer.UNDERPRICED),  # Nethermind: "same nonce … awaiting in the pool"
    ("transaction underpriced", SendAnswer.FEE_TOO_LOW),  # geth, Erigon
    ("max fee per gas less than block base fee", SendAnswer.FEE_TOO_LOW),  # anvil, geth, Arbitrum, zkSync
    ("gas price less than block base fee", SendAnswer.FEE_TOO_LOW),  # Astar
    ("gas price too low", SendAnswer.FEE_TOO_LOW),  # Arbitrum, Metis
    ("gas price is too low", SendAnswer.FEE_TOO_LOW),  # Parity
    ("gas price below configured minimum", SendAnswer.FEE_TOO_LOW),  # Besu
    ("gasprice is less than gas price minimum", SendAnswer.FEE_TOO_LOW),  # Celo
    ("feetoolow", SendAnswer.FEE_TOO_LOW),  # Nethermind
    ("insufficient funds", SendAnswer.FUNDS_TOO_LOW),  # anvil, geth, Erigon, Parity, zkSync
    ("insufficientfunds", SendAnswer.FUNDS_TOO_LOW),  # Nethermind
    ("insufficient balance", SendAnswer.FUNDS_TOO_LOW),  # geth, Parity
    ("not enough funds", SendAnswer.FUNDS_TOO_LOW),  # Arbitrum classic
    ("upfront cost exceeds", SendAnswer.FUNDS_TOO_LOW),  # Besu
    ("transaction would cause overdraft", SendAnswer.FUNDS_TOO_LOW),  # geth
    ("intrinsic gas", SendAnswer.NOT_SENDABLE),  # anvil, geth "… too low"; Besu "… exceeds gas limit"
    ("gas is too low", SendAnswer.NOT_SENDABLE),  # Parity
    ("exceeds block gas limit", SendAnswer.NOT_SENDABLE),  # geth, Erigon, Besu, zkSync
    ("gaslimitexceeded", SendAnswer.NOT_SENDABLE),  # Nethermind
    ("max priority fee per gas higher than max fee", SendAnswer.NOT_SENDABLE),  # anvil, geth, zkSync
    ("invalid chain id", SendAnswer.NOT_SENDABLE),  # anvil, "… for signer"
    ("invalid sender", SendAnswer.NOT_SENDABLE),  # geth, where the chain id is another
    ("invalid signature", SendAnswer.NOT_SENDABLE),  # Besu, Parity
    ("failed to decode", SendAnswer.NOT_SENDABLE),  # anvil, "Failed to decode transaction"
    ("invalid rlp", SendAnswer.NOT_SENDABLE),  # Parity
    ("failedtoresolvesender", SendAnswer.NOT_SENDABLE),  # Nethermind
)

# A simulated transfer that the receiver's code stopped, which no waiting mends.
_REVERTS = (
    "revert",  # anvil, geth "execution reverted"; Nethermind and Parity "Reverted 0x…"
    "vm execution error",  # Parity
    "gas required exceeds allowance",  # geth, Erigon: fails with every amount of gas
    "invalid opcode",  # geth
    "invalidfeopcode",  # anvil
    "opcodenotfound",  # anvil
    "out of gas",  # anvil, Besu
    "outofgas",  # anvil
)

# A state that this node no longer holds. No waiting brings it back.
_HISTORY_MISSING = (
    "missing trie node",  # geth with hash storage
    "historical state",  # geth with path storage, "historical state … is not available"
    "no state available",  # Nethermind
    "world state unavailable",  # Besu
    "pruned",  # Erigon, reth
    "archive",  # providers, "… requires an archive node"
    "blockoutofrange",  # anvil, after a restart or a few hundred blocks
)


def read_send_error(message: str) -> SendAnswer:
    """Classify a node's answer to signed bytes; one that is not in the table is `UNCLEAR`."""
    lower = message.lower()
    return next((answer for part, answer in _SEND_ERRORS if part in lower), SendAnswer.UNCLEAR)


def is_revert(message: str) -> bool:
    """Tell whether a failed simulation says that the receiver refuses the money."""
    lower = message.lower()
    return any(part in lower for part in _REVERTS)


def is_history_missing(message: str) -> bool:
    """Tell whether a node says that it no longer holds the state of an old block."""
    lower = message.lower()
    return any(part in lower for part in _HISTORY_MISSING)
