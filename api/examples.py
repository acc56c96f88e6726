"""One example of every body and every answer, by the name of its model; tests hold them against the code."""

from collections.abc import Mapping
from typing import Any

Example = dict[str, Any]

REFUND_ID = "rf_3f0c2b7a9d1e4c5f8a6b7c8d"
FINDING_ID = 7
DIGEST = "sha256:" + "5e" * 32
NOON = "2026-11-20T12:00:00Z"
LATER = "2026-11-20T12:00:03Z"
FORTNIGHT_LATER = "2026-12-04T12:00:00Z"

CARD_RULES: list[Example] = [
    {
        "rule": "window",
        "outcome": "pass",
        "code": "in_window",
        "reason": "The request came within 14 days of the deposit.",
        "reasons": {"zh-Hans": "申请在充值后的 14 天之内提出。"},
        "facts": {"elapsed_seconds": 7200, "window_seconds": 1209600},
        "moving_facts": {},
    },
    {
        "rule": "unused",
        "outcome": "pass",
        "code": "unused",
        "reason": "Nothing of the deposit was used.",
        "reasons": {"zh-Hans": "这笔充值完全没有使用过。"},
        "facts": {"charged_minor": 0, "charged_orders": 0, "pending_minor": 0, "pending_orders": 0},
        "moving_facts": {},
    },
    {
        "rule": "settled",
        "outcome": "pass",
        "code": "settled",
        "reason": "The card payment succeeded with exactly the deposit's amount.",
        "reasons": {"zh-Hans": "银行卡付款成功，金额与充值完全一致。"},  # noqa: RUF001 - Chinese has its own comma
        "facts": {"payment_intent": "pi_123", "payment_status": "succeeded", "amount_minor": 2000, "currency": "USD"},
        "moving_facts": {},
    },
    {
        "rule": "clean",
        "outcome": "pass",
        "code": "clean",
        "reason": "No dispute, no other refund, and the account is in good standing.",
        "reasons": {"zh-Hans": "没有争议，没有其他退款，账户状态正常。"},  # noqa: RUF001 - Chinese has its own comma
        "facts": {"deposit_state": "open", "account_status": "active", "held_by": None},
        "moving_facts": {},
    },
    {
        "rule": "route",
        "outcome": "pass",
        "code": "card",
        "reason": "The refund goes to the card that paid.",
        "reasons": {"zh-Hans": "款项将退回原付款的银行卡。"},
        "facts": {},
        "moving_facts": {},
    },
]
VERDICT: Example = {"outcome": "pass", "policy_version": "2026-01", "rules": CARD_RULES, "destination": "card"}

SUMMARY: Example = {
    "id": REFUND_ID,
    "status": "awaiting_approval",
    "status_reason": "approval_needed",
    "waiting_for": "approval",
    "rail": "card",
    "channel": "ticket",
    "ticket": {"system": "zammad", "id": "4711", "url": "https://desk.example.com/tickets/4711"},
    "account_id": "acct_1",
    "deposit_id": "dep_1",
    "duplicate_of": None,
    "amount_minor": 2000,
    "currency": "USD",
    "ownership": "helpdesk_asserted",
    "attempt": 1,
    "digest": DIGEST,
    "approvals_needed": 1,
    "requested_at": NOON,
    "pay_due_at": FORTNIGHT_LATER,
    "created_at": LATER,
    "updated_at": LATER,
}
REFUND: Example = SUMMARY | {
    "payment": {"rail": "card", "payment_intent": "pi_123", "amount_minor": 2000, "currency": "USD"},
    "verdict": VERDICT,
    "decisions": [
        {
            "decision_id": "decision_1",
            "operator": "ann",
            "action": "approve",
            "digest": DIGEST,
            "reason": None,
            "acknowledge": [],
            "recorded_at": LATER,
        }
    ],
    "payouts": [
        {
            "attempt": 1,
            "rail": "card",
            "status": "queued",
            "detail": "",
            "provider_ref": None,
            "amount_minor": 2000,
            "currency": "USD",
            "destination_type": None,
            "reference": None,
            "reference_status": None,
            "reference_type": None,
        }
    ],
    "disputes": [],
    "fraud_warnings": [],
    "messages": [],
    "timeline": [
        {
            "at": LATER,
            "actor": "desk",
            "event": "refund.requested",
            "subject": None,
            "detail": {"channel": "ticket", "rail": "card", "ownership": "helpdesk_asserted"},
        }
    ],
}
FINDING: Example = {
    "id": FINDING_ID,
    "kind": "rail_stop",
    "refund_id": None,
    "refund_status": None,
    "status_reason": None,
    "evidence": {"rail": "card", "operator": "vera"},
    "remedies": [
        {
            "remedy": "start_rail",
            "words": "Start the rail again; two people are needed.",
            "call": {"method": "POST", "path": "/v1/rails/card/start", "body": {}},
        },
        {
            "remedy": "close",
            "words": "Close the finding, with a reason, once the matter is settled.",
            "call": {"method": "POST", "path": f"/v1/findings/{FINDING_ID}/close", "body": {}},
        },
    ],
    "openings": 1,
    "opened_at": NOON,
    "closed_at": None,
    "closed_by": None,
    "closed_reason": None,
}
RAIL: Example = {
    "rail": "card",
    "chain_id": None,
    "is_stopped": True,
    "pause_reason": None,
    "stopped_by": "vera",
    "stopped_at": NOON,
    "stop_cause": None,
    "reason": "Payouts that nobody asked for.",
    "start_asked": [{"operator": "ann", "recorded_at": LATER}],
    "waiting_for": "second_person",
}
REQUEST: Example = {
    "ticket": {"system": "zammad", "id": "4711", "url": "https://desk.example.com/tickets/4711"},
    "channel": "ticket",
    "account": {"id": "acct_1"},
    "rail": "card",
    "requested_at": NOON,
    "locale": "en",
}
OPERATOR: Example = {"name": "ann", "role": "approver", "is_active": False}

AUDIT_HEAD: Example = {"seq": 1042, "hash": "5e" * 32}

RECONCILIATION: Example = {
    "id": "month-end-2026-11",
    "status": "differences",
    "requested_by": "fay",
    "days": 30,
    "grace_seconds": 3600,
    "requested_at": NOON,
    "finished_at": LATER,
    "report": {
        "outcome": "differences",
        "since": "2026-10-21T12:00:00Z",
        "compared": 97,
        "under_way_count": 1,
        "scopes": [
            {
                "scope": "card",
                "is_read": True,
                "is_whole": True,
                "compared": 97,
                "under_way_count": 1,
                "under_way": [REFUND_ID],
            }
        ],
        "differences": [
            {
                "finding_id": FINDING_ID,
                "kind": "unowned_payment",
                "refund_id": None,
                "deposit_id": "dep_1",
                "is_open": True,
            }
        ],
        "closed_findings": [],
    },
}

EXAMPLES: Mapping[str, Example] = {
    "AccountBody": {"username": "user1", "email": "user1@example.com", "status": "active"},
    "DepositBody": {
        "account_id": "acct_1",
        "amount_minor": 3000,
        "currency": "USD",
        "paid_at": "2026-11-20T10:00:00Z",
        "terms_version": "2026-01",
        "payment": {
            "rail": "crypto",
            "chain_id": 31337,
            "tx_hash": "0x" + "ab" * 32,
            "asset": "native",
            "amount_base_units": "10000000000000000",
        },
    },
    "OrderBody": {
        "account_id": "acct_1",
        "product": "sms",
        "amount_minor": 50,
        "currency": "USD",
        "status": "charged",
        "created_at": "2026-11-20T11:00:00Z",
    },
    "Recorded": {"type": "deposit", "id": "dep_1"},
    "Balance": {
        "account_id": "acct_1",
        "balances": [
            {
                "currency": "USD",
                "deposited_minor": 2000,
                "spendable_minor": 0,
                "held_minor": 2000,
                "used_minor": 0,
                "refunded_minor": 0,
                "charged_back_minor": 0,
            }
        ],
    },
    "RefundBody": REQUEST,
    "CheckBody": {"deposit_id": "dep_1", "requested_at": NOON},
    "CheckAnswer": {
        "status": "awaiting_approval",
        "status_reason": "approval_needed",
        "waiting_for": "approval",
        "refund_id": None,
        "account_id": "acct_1",
        "deposit_id": "dep_1",
        "duplicate_of": None,
        "rail": "card",
        "verdict": VERDICT,
        "approvals_needed": 1,
    },
    "Refund": REFUND,
    "RefundList": {"items": [SUMMARY], "next_cursor": None},
    "WithdrawalBody": {"reason": "The customer wants to keep the balance."},
    "OwnershipBody": {
        "confirmation_id": "confirmation_1",
        "action": "confirm",
        "evidence": "The mail names the username and a payment of this account.",
        "deposit_id": "dep_1",
    },
    "DecisionBody": {"decision_id": "decision_1", "action": "approve", "digest": DIGEST},
    "ResolutionBody": {"resolution_id": "resolution_1", "action": "look_again", "reason": "Stripe was away."},
    "Finding": FINDING,
    "FindingList": {"items": [FINDING], "next_cursor": None},
    "CloseBody": {"reason": "Settled with the customer."},
    "StopBody": {"reason": "Payouts that nobody asked for."},
    "StartBody": {"reason": "A backup was restored; every nonce is explained.", "chain_id": 31337, "adopt_nonce": 7},
    "RailAnswer": RAIL,
    "RailList": {"items": [RAIL]},
    "OperatorBody": {"reason": "Left the company."},
    "Operator": OPERATOR,
    "OperatorList": {"items": [OPERATOR]},
    "AuditHead": AUDIT_HEAD,
    "AuditVerification": {"is_whole": True, "entries": 1042, "head": AUDIT_HEAD, "broken": None},
    "ReconciliationBody": {"reconciliation_id": "month-end-2026-11", "days": 30, "grace_seconds": 3600},
    "ReconciliationAnswer": RECONCILIATION,
    "ReconciliationList": {"items": [RECONCILIATION]},
    "HookReceipt": {"received": True},
    "Health": {"status": "ok"},
}
