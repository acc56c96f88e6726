"""The sentences in English: the reasons of the rules, and what the customer is told."""

SENTENCES = {
    # The rules.
    "request_in_future": "The request is dated in the future.",
    "request_before_deposit": "The request is older than the deposit.",
    "window_over": "The deposit was paid {days} days before the request; the promise holds for {window_days} days.",
    "in_window": "The request came within {window_days} days of the deposit.",
    "used_by_one": "{used} of the deposit was used by one order; only a wholly unused deposit can be refunded.",
    "used_by_many": "{used} of the deposit was used by {orders} orders; "
    "only a wholly unused deposit can be refunded.",
    "pending_one": "One order may still be charged to the deposit.",
    "pending_many": "{orders} orders may still be charged to the deposit.",
    "unused": "Nothing of the deposit was used.",
    "card_payment_unknown": "The card processor does not know this payment.",
    "card_payment_unsettled": "The card payment is not settled yet.",
    "card_payment_not_made": "The card payment was never completed.",
    "card_amount_differs": "The card payment's amount is not the one recorded for the deposit.",
    "card_settled": "The card payment succeeded with exactly the deposit's amount.",
    "chain_amount_differs": "The chain transaction moved another amount than recorded for the deposit.",
    "chain_settled": "The chain transaction is final.",
    "chain_payment_not_made": "The chain transaction failed; nothing was deposited by it.",
    "chain_payment_unsettled": "The chain transaction is not final yet.",
    "already_refunded": "The deposit was refunded before.",
    "charged_back": "The deposit was charged back by the customer's bank.",
    "disputed": "The card payment is disputed at the customer's bank.",
    "refunded_outside": "The card payment was refunded outside this service.",
    "account_suspended": "The account is suspended.",
    "account_closed": "The account is closed; a person must judge who is asking.",
    "held_by_other_refund": "Refund {other} is paying this deposit back.",
    "clean": "No dispute, no other refund, and the account is in good standing.",
    "not_a_card": "The payment was not made by card.",
    "to_the_card": "The refund goes to the card that paid.",
    "not_a_deposit": "This chain transaction is not a deposit to us.",
    "sender_not_final": "The sender is known once the transaction is final.",
    "sender_to_judge": "A person must judge whether the sender can be paid.",
    "to_the_sender": "The refund goes to the address that sent the deposit.",
    # What a wait for the customer asks of them.
    "ask_proof": "Please send us the payment id of your deposit, or its transaction hash.",
    "ask_other_proof": "The proof of payment matches no deposit of this account. "
    "Please send us its payment id or transaction hash again.",
    "ask_deposit": "You have several deposits. Please tell us which one you ask to have back.",
    # How a refund ended.
    "sent_to_card": "We sent {amount} back to the card you paid with (reference {reference}). "
    "Banks take some working days to show it.",
    "sent_to_address": "We sent your deposit of {amount} back in the same coin to the address it came from, "
    "{destination} (chain transaction {reference}).",
    "paid_otherwise": "Your deposit of {amount} was paid back to you.",
    "cannot_be_refunded": "This deposit cannot be refunded.",
    "not_approved": "Your refund was not approved. Please ask us on this ticket for the reason.",
    "could_not_be_paid": "Your refund could not be paid. We will write to you on this ticket.",
    "not_the_owner": "We could not confirm that the account is yours, so nothing was refunded.",
    "proof_matches_nothing": "The proof of payment matches no deposit of this account.",
    "withdrawn": "Your request was withdrawn. Your balance is yours to use again.",
    "order_still_open": "An order on this deposit is still open, so this request was closed. "
    "A new ticket may ask again.",
    "never_settled": "The payment of this deposit never settled, so this request was closed.",
    "no_answer": "We did not hear from you, so this request was closed. A new ticket may ask again.",
    "refunded_under_another": "This deposit is already being refunded under {other}.",
}
