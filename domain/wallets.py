"""Why a wallet may assign no nonce: a closed list, explained in the glossary."""

from enum import StrEnum

from domain.transfers import WalletView


class PauseReason(StrEnum):
    """What stopped a wallet. Only two people start it again, and only once the cause is gone."""

    NONCE_DRIFT = "nonce_drift"  # more of its nonces are final than we assigned: a restored database, or its key
    KEY_USED_ELSEWHERE = "key_used_elsewhere"  # a nonce of ours went to a chain transaction that is not ours
    WALLET_HAS_CODE = "wallet_has_code"  # code may spend by itself, and nodes keep one transaction in flight for it
    ENDPOINTS_DISAGREE = "endpoints_disagree"  # for a long time, about facts of the wallet
    BYTES_DIFFER = "bytes_differ"  # stored bytes do not say what their payout says; they are not sent
    MOVED_OTHERWISE = "moved_otherwise"  # a payout's chain transaction moved something else than was asked


def tell_stranger(chain_id: int, address: str, view: WalletView, next_nonce: int) -> str | None:
    """Say what is wrong between a wallet and a database that has assigned none of its nonces, and what to do."""
    if view.nonce_finalized > next_nonce:
        used = view.nonce_finalized
        return (
            f"The chain has used {used} nonces of the wallet {address} on chain {chain_id}, and this database has "
            f"assigned none of them from {next_nonce} on. A database that was restored or made anew would pay again "
            "what it has forgotten, so the wallet is paused. Run `refunds reconcile`, settle what it finds, then let "
            f"two people run `refunds rail start crypto --chain {chain_id} --adopt-nonce {used}`. Only if the wallet "
            f"was used before this service ever paid from it: set first_nonce = {used} in the chains file."
        )
    if view.nonce_latest < view.first_nonce:
        return (
            f"first_nonce is {view.first_nonce}, and the chain has used only {view.nonce_latest} nonces of the "
            f"wallet {address} on chain {chain_id}. Payouts would wait behind the missing ones for ever: mend the "
            "chains file."
        )
    return None
