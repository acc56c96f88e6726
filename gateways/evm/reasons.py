"""Why the sender of a deposit is not simply paid, as the route rule says it; docs/crypto.md says what to do then."""

# A person must judge. With a sender beside it the refund can be approved, once the reason was acknowledged.
NOT_A_PLAIN_TRANSFER = "not_a_plain_transfer"
SEVERAL_PAYMENTS = "several_payments"
PAID_BY_CONTRACT = "paid_by_contract"
NOT_TRACEABLE = "not_traceable"
LOG_DIFFERS = "log_differs"
SENDER_IS_CONTRACT = "sender_is_contract"
SENDER_IS_CUSTODIAL = "sender_is_custodial"
SENDER_NEVER_SIGNED = "sender_never_signed"

# Nobody is paid while this lasts, whoever approves.
SENDER_IS_SANCTIONED = "sender_is_sanctioned"
SENDER_IS_FROZEN = "sender_is_frozen"
WALLET_IS_FROZEN = "wallet_is_frozen"
SENDER_PASSED_ON = "sender_passed_on"
TOKEN_IS_PAUSED = "token_is_paused"  # noqa: S105 - the name of a reason, not a password
TOKEN_TAKES_A_FEE = "token_takes_a_fee"  # noqa: S105 - the name of a reason, not a password
TOKEN_HAS_NO_CODE = "token_has_no_code"  # noqa: S105 - the name of a reason, not a password

# This is no deposit.
SENDER_IS_OURS = "sender_is_ours"
SENDER_IS_NOBODY = "sender_is_nobody"
WRONG_RECIPIENT = "wrong_recipient"
BELOW_MINIMUM = "below_minimum"
TOKEN_NOT_LISTED = "token_not_listed"  # noqa: S105 - the name of a reason, not a password
