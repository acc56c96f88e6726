"""Why a wallet may assign no nonce: a closed list, explained in the glossary."""

from enum import StrEnum


class PauseReason(StrEnum):
    """What stopped a wallet. Only two people start it again, and only once the cause is gone."""

    NONCE_DRIFT = "nonce_drift"  # more of its nonces are final than we assigned: a restored database, or its key
    KEY_USED_ELSEWHERE = "key_used_elsewhere"  # a nonce of ours went to a chain transaction that is not ours
    WALLET_HAS_CODE = "wallet_has_code"  # code may spend by itself, and nodes keep one transaction in flight for it
    ENDPOINTS_DISAGREE = "endpoints_disagree"  # for a long time, about facts of the wallet
    BYTES_DIFFER = "bytes_differ"  # stored bytes do not say what their payout says; they are not sent
    MOVED_OTHERWISE = "moved_otherwise"  # a payout's chain transaction moved something else than was asked
