"""The first schema."""

import sqlalchemy as sa
from alembic import op

import ledger.columns

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("username", sa.String(length=128), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("username", name=op.f("uq_accounts_username")),
    )
    op.create_table(
        "audit_entries",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("at", ledger.columns.UtcTime(), nullable=False),
        sa.Column("actor", sa.String(length=160), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("refund_id", sa.String(length=32), nullable=True),
        sa.Column("subject", sa.String(length=160), nullable=True),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_entries")),
        sa.UniqueConstraint("hash", name=op.f("uq_audit_entries_hash")),
    )
    with op.batch_alter_table("audit_entries", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_entries_refund_id"), ["refund_id"], unique=False)

    op.create_table(
        "audit_head",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "clients",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("note_salt", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_clients")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_clients_token_hash")),
    )
    op.create_table(
        "entries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=400), nullable=False),
        sa.Column("at", ledger.columns.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entries")),
        sa.UniqueConstraint("key", name=op.f("uq_entries_key")),
    )
    op.create_table(
        "reconciliations",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("requested_by", sa.String(length=128), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("days", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("grace_seconds", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("requested_at", ledger.columns.UtcTime(), nullable=False),
        sa.Column("started_at", ledger.columns.UtcTime(), nullable=True),
        sa.Column("finished_at", ledger.columns.UtcTime(), nullable=True),
        sa.Column("report", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliations")),
    )
    with op.batch_alter_table("reconciliations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_reconciliations_requested_at"), ["requested_at"], unique=False)

    op.create_table(
        "wallets",
        sa.Column("chain_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("address", sa.String(length=42), nullable=False),
        sa.Column("first_nonce", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("next_nonce", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("nonce_final_seen", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("pause_reason", sa.String(length=64), nullable=True),
        sa.Column("pause_word_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("disagreeing_since", ledger.columns.UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("chain_id", "address", name=op.f("pk_wallets")),
    )
    op.create_table(
        "deposits",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("account_id", sa.String(length=128), nullable=False),
        sa.Column("amount_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("paid_at", ledger.columns.UtcTime(), nullable=False),
        sa.Column("terms_version", sa.String(length=64), nullable=True),
        sa.Column("rail", sa.String(length=8), nullable=False),
        sa.Column("payment_intent", sa.String(length=255), nullable=True),
        sa.Column("payment_amount_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("payment_currency", sa.String(length=3), nullable=True),
        sa.Column("chain_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("tx_hash", sa.String(length=66), nullable=True),
        sa.Column("log_index", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("claimed_log_index", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("asset", sa.String(length=42), nullable=True),
        sa.Column("amount_base_units", ledger.columns.WholeNumber(length=78), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_deposits_amount_positive")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_deposits_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deposits")),
        sa.UniqueConstraint("chain_id", "tx_hash", "claimed_log_index", name="uq_deposits_claimed_log"),
        sa.UniqueConstraint("chain_id", "tx_hash", "log_index", name="uq_deposits_chain_payment"),
        sa.UniqueConstraint("id", "rail", name="uq_deposits_rail"),
        sa.UniqueConstraint("payment_intent", name=op.f("uq_deposits_payment_intent")),
    )
    with op.batch_alter_table("deposits", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_deposits_account_id"), ["account_id"], unique=False)

    op.create_table(
        "orders",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("account_id", sa.String(length=128), nullable=False),
        sa.Column("product", sa.String(length=16), nullable=False),
        sa.Column("amount_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("created_at", ledger.columns.UtcTime(), nullable=False),
        sa.Column("moves", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_orders_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
    )
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_orders_account_id"), ["account_id"], unique=False)

    op.create_table(
        "keyed_answers",
        sa.Column("caller", sa.String(length=128), nullable=False),
        sa.Column("route", sa.String(length=128), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("salt", sa.String(length=32), nullable=False),
        sa.Column("said_hash", sa.String(length=64), nullable=False),
        sa.Column("claim", sa.String(length=32), nullable=False),
        sa.Column("claimed_at", ledger.columns.UtcTime(), nullable=False),
        sa.Column("status", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("caller", "route", "key_hash", name=op.f("pk_keyed_answers")),
    )
    with op.batch_alter_table("keyed_answers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_keyed_answers_claimed_at"), ["claimed_at"], unique=False)

    op.create_table(
        "rail_stops",
        sa.Column("rail", sa.String(length=32), nullable=False),
        sa.Column("operator", sa.String(length=128), nullable=True),
        sa.Column("cause", sa.String(length=32), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("stopped_at", ledger.columns.UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["operator"], ["clients.name"], name=op.f("fk_rail_stops_operator")),
        sa.PrimaryKeyConstraint("rail", name=op.f("pk_rail_stops")),
    )
    op.create_table(
        "rail_words",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("rail", sa.String(length=32), nullable=False),
        sa.Column("act", sa.String(length=8), nullable=False),
        sa.Column("operator", sa.String(length=128), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("adopt_nonce", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("salt", sa.String(length=32), nullable=False),
        sa.Column("recorded_at", ledger.columns.UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["operator"], ["clients.name"], name=op.f("fk_rail_words_operator")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_rail_words")),
    )
    with op.batch_alter_table("rail_words", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rail_words_rail"), ["rail"], unique=False)

    op.create_table(
        "order_parts",
        sa.Column("order_id", sa.String(length=128), nullable=False),
        sa.Column("deposit_id", sa.String(length=128), nullable=False),
        sa.Column("amount_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["deposit_id"], ["deposits.id"], name=op.f("fk_order_parts_deposit_id")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_order_parts_order_id")),
        sa.PrimaryKeyConstraint("order_id", "deposit_id", name=op.f("pk_order_parts")),
    )
    with op.batch_alter_table("order_parts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_order_parts_deposit_id"), ["deposit_id"], unique=False)

    op.create_table(
        "postings",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account_id", sa.String(length=128), nullable=False),
        sa.Column("deposit_id", sa.String(length=128), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("book", sa.String(length=16), nullable=False),
        sa.Column("amount_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_postings_account_id")),
        sa.ForeignKeyConstraint(["deposit_id"], ["deposits.id"], name=op.f("fk_postings_deposit_id")),
        sa.ForeignKeyConstraint(["entry_id"], ["entries.id"], name=op.f("fk_postings_entry_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_postings")),
    )
    with op.batch_alter_table("postings", schema=None) as batch_op:
        batch_op.create_index("ix_postings_balance", ["account_id", "currency", "book"], unique=False)
        batch_op.create_index(batch_op.f("ix_postings_deposit_id"), ["deposit_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_postings_entry_id"), ["entry_id"], unique=False)

    op.create_table(
        "refunds",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("status", sa.String(length=24), nullable=False),
        sa.Column("status_reason", sa.String(length=32), nullable=True),
        sa.Column("waiting_for", sa.String(length=16), nullable=True),
        sa.Column("ticket_system", sa.String(length=32), nullable=False),
        sa.Column("ticket_id", sa.String(length=128), nullable=False),
        sa.Column("ticket_url", sa.String(length=2048), nullable=True),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("requester", sa.String(length=128), nullable=False),
        sa.Column("account_id", sa.String(length=128), nullable=False),
        sa.Column("rail", sa.String(length=8), nullable=False),
        sa.Column("asked_deposit_id", sa.String(length=128), nullable=True),
        sa.Column("payment_proof", sa.String(length=255), nullable=True),
        sa.Column("locale", sa.String(length=35), nullable=False),
        sa.Column("requested_at", ledger.columns.UtcTime(), nullable=False),
        sa.Column("received_at", ledger.columns.UtcTime(), nullable=False),
        sa.Column("is_request_time_confirmed", sa.Boolean(), nullable=False),
        sa.Column("ownership", sa.String(length=24), nullable=False),
        sa.Column("deposit_id", sa.String(length=128), nullable=True),
        sa.Column("duplicate_of", sa.String(length=32), nullable=True),
        sa.Column("attempt", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("verdict", sa.JSON(), nullable=True),
        sa.Column("digest", sa.String(length=80), nullable=True),
        sa.Column("approvals_needed", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("due_at", ledger.columns.UtcTime(), nullable=True),
        sa.Column("pay_due_at", ledger.columns.UtcTime(), nullable=False),
        sa.Column("pay_marks_told", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("watch_over", sa.Boolean(), nullable=False),
        sa.Column("salt", sa.String(length=32), nullable=False),
        sa.Column("news_at", ledger.columns.UtcTime(), nullable=True),
        sa.Column("created_at", ledger.columns.UtcTime(), nullable=False),
        sa.Column("updated_at", ledger.columns.UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_refunds_account_id")),
        sa.ForeignKeyConstraint(["deposit_id"], ["deposits.id"], name=op.f("fk_refunds_deposit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
        sa.UniqueConstraint("ticket_system", "ticket_id", name="uq_refunds_ticket"),
    )
    with op.batch_alter_table("refunds", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_refunds_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_refunds_deposit_id"), ["deposit_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_refunds_news_at"), ["news_at"], unique=False)
        batch_op.create_index("ix_refunds_status", ["status", "rail"], unique=False)

    op.create_table(
        "card_events",
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("subject_id", sa.String(length=255), nullable=False),
        sa.Column("payment_intent", sa.String(length=255), nullable=True),
        sa.Column("outcome", sa.String(length=24), nullable=False),
        sa.Column("refund_id", sa.String(length=32), nullable=True),
        sa.Column("came_by", sa.String(length=8), nullable=False),
        sa.Column("received_at", ledger.columns.UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.id"], name=op.f("fk_card_events_refund_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_card_events")),
    )
    with op.batch_alter_table("card_events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_card_events_received_at"), ["received_at"], unique=False)

    op.create_table(
        "chain_transactions",
        sa.Column("tx_hash", sa.String(length=66), nullable=False),
        sa.Column("refund_id", sa.String(length=32), nullable=False),
        sa.Column("attempt", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("purpose", sa.String(length=8), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.Column("sends", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("last_answer", sa.String(length=32), nullable=True),
        sa.Column("is_taken", sa.Boolean(), nullable=False),
        sa.Column("first_sent_at", ledger.columns.UtcTime(), nullable=True),
        sa.Column("first_sent_block", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("last_sent_at", ledger.columns.UtcTime(), nullable=True),
        sa.Column("signed_at", ledger.columns.UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.id"], name=op.f("fk_chain_transactions_refund_id")),
        sa.PrimaryKeyConstraint("tx_hash", name=op.f("pk_chain_transactions")),
        sa.UniqueConstraint("refund_id", "attempt", "sequence", name="uq_chain_transactions_sequence"),
    )
    with op.batch_alter_table("chain_transactions", schema=None) as batch_op:
        batch_op.create_index("ix_chain_transactions_payout", ["refund_id", "attempt"], unique=False)

    op.create_table(
        "decisions",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("decision_id", sa.String(length=128), nullable=False),
        sa.Column("refund_id", sa.String(length=32), nullable=False),
        sa.Column("operator", sa.String(length=128), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("acknowledge", sa.JSON(), nullable=False),
        sa.Column("salt", sa.String(length=32), nullable=False),
        sa.Column("recorded_at", ledger.columns.UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["operator"], ["clients.name"], name=op.f("fk_decisions_operator")),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.id"], name=op.f("fk_decisions_refund_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_decisions")),
        sa.UniqueConstraint("decision_id", name=op.f("uq_decisions_decision_id")),
        sa.UniqueConstraint("refund_id", "operator", "digest", name="uq_decisions_operator_digest"),
    )
    with op.batch_alter_table("decisions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_decisions_refund_id"), ["refund_id"], unique=False)

    op.create_table(
        "findings",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=400), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("refund_id", sa.String(length=32), nullable=True),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("openings", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("opened_at", ledger.columns.UtcTime(), nullable=False),
        sa.Column("closed_at", ledger.columns.UtcTime(), nullable=True),
        sa.Column("closed_by", sa.String(length=128), nullable=True),
        sa.Column("closed_reason", sa.Text(), nullable=True),
        sa.Column("salt", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["closed_by"], ["clients.name"], name=op.f("fk_findings_closed_by")),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.id"], name=op.f("fk_findings_refund_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_findings")),
        sa.UniqueConstraint("key", name=op.f("uq_findings_key")),
    )
    with op.batch_alter_table("findings", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_findings_refund_id"), ["refund_id"], unique=False)

    op.create_table(
        "holds",
        sa.Column("refund_id", sa.String(length=32), nullable=False),
        sa.Column("deposit_id", sa.String(length=128), nullable=False),
        sa.Column("amount_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("moves", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["deposit_id"], ["deposits.id"], name=op.f("fk_holds_deposit_id")),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.id"], name=op.f("fk_holds_refund_id")),
        sa.PrimaryKeyConstraint("refund_id", name=op.f("pk_holds")),
    )
    with op.batch_alter_table("holds", schema=None) as batch_op:
        batch_op.create_index(
            "uq_holds_one_active_per_deposit",
            ["deposit_id"],
            unique=True,
            sqlite_where=sa.text("state IN ('active', 'captured')"),
            postgresql_where=sa.text("state IN ('active', 'captured')"),
        )

    op.create_table(
        "messages",
        sa.Column("refund_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("attempt", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("written_at", ledger.columns.UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.id"], name=op.f("fk_messages_refund_id")),
        sa.PrimaryKeyConstraint("refund_id", "kind", "attempt", name=op.f("pk_messages")),
    )
    op.create_table(
        "ownership_confirmations",
        sa.Column("confirmation_id", sa.String(length=128), nullable=False),
        sa.Column("refund_id", sa.String(length=32), nullable=False),
        sa.Column("operator", sa.String(length=128), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("deposit_id", sa.String(length=128), nullable=True),
        sa.Column("is_request_time_confirmed", sa.Boolean(), nullable=False),
        sa.Column("salt", sa.String(length=32), nullable=False),
        sa.Column("is_applied", sa.Boolean(), nullable=False),
        sa.Column("recorded_at", ledger.columns.UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["operator"], ["clients.name"], name=op.f("fk_ownership_confirmations_operator")),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.id"], name=op.f("fk_ownership_confirmations_refund_id")),
        sa.PrimaryKeyConstraint("confirmation_id", name=op.f("pk_ownership_confirmations")),
    )
    with op.batch_alter_table("ownership_confirmations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ownership_confirmations_refund_id"), ["refund_id"], unique=False)

    op.create_table(
        "payment_disputes",
        sa.Column("refund_id", sa.String(length=32), nullable=False),
        sa.Column("dispute_id", sa.String(length=255), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("amount_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("withdrawn_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("is_accepted", sa.Boolean(), nullable=False),
        sa.Column("seen_at", ledger.columns.UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.id"], name=op.f("fk_payment_disputes_refund_id")),
        sa.PrimaryKeyConstraint("refund_id", "dispute_id", name=op.f("pk_payment_disputes")),
    )
    op.create_table(
        "payment_warnings",
        sa.Column("refund_id", sa.String(length=32), nullable=False),
        sa.Column("warning_id", sa.String(length=255), nullable=False),
        sa.Column("fraud_type", sa.String(length=64), nullable=False),
        sa.Column("is_actionable", sa.Boolean(), nullable=False),
        sa.Column("seen_at", ledger.columns.UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.id"], name=op.f("fk_payment_warnings_refund_id")),
        sa.PrimaryKeyConstraint("refund_id", "warning_id", name=op.f("pk_payment_warnings")),
    )
    op.create_table(
        "payouts",
        sa.Column("refund_id", sa.String(length=32), nullable=False),
        sa.Column("attempt", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("deposit_id", sa.String(length=128), nullable=False),
        sa.Column("rail", sa.String(length=8), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("detail", sa.String(length=400), nullable=False),
        sa.Column("provider_ref", sa.String(length=255), nullable=True),
        sa.Column("payment_intent", sa.String(length=255), nullable=True),
        sa.Column("destination_type", sa.String(length=16), nullable=True),
        sa.Column("reference", sa.String(length=64), nullable=True),
        sa.Column("reference_status", sa.String(length=64), nullable=True),
        sa.Column("reference_type", sa.String(length=64), nullable=True),
        sa.Column("amount_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("chain_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("wallet", sa.String(length=42), nullable=True),
        sa.Column("destination", sa.String(length=42), nullable=True),
        sa.Column("asset", sa.String(length=42), nullable=True),
        sa.Column("amount_base_units", ledger.columns.WholeNumber(length=78), nullable=True),
        sa.Column("nonce", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("tx_hash", sa.String(length=66), nullable=True),
        sa.Column("block_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("block_hash", sa.String(length=66), nullable=True),
        sa.Column("is_buried", sa.Boolean(), nullable=False),
        sa.Column("is_cancel_asked", sa.Boolean(), nullable=False),
        sa.Column("lost_since", ledger.columns.UtcTime(), nullable=True),
        sa.Column("key_used_at", ledger.columns.UtcTime(), nullable=True),
        sa.Column("is_failure_stored", sa.Boolean(), nullable=False),
        sa.Column("unclear_answers", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("unclear_since", ledger.columns.UtcTime(), nullable=True),
        sa.Column("lost_block", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("begun_at", ledger.columns.UtcTime(), nullable=False),
        sa.Column("updated_at", ledger.columns.UtcTime(), nullable=False),
        sa.CheckConstraint(
            "(nonce IS NULL) = (status IN ('queued', 'paid_outside', 'refused') OR rail = 'card')",
            name=op.f("ck_payouts_nonce_if_sent"),
        ),
        sa.CheckConstraint(
            "CASE rail WHEN 'card' THEN chain_id IS NULL AND wallet IS NULL AND destination IS NULL "
            "WHEN 'crypto' THEN payment_intent IS NULL ELSE 1 = 0 END",
            name=op.f("ck_payouts_one_way"),
        ),
        sa.ForeignKeyConstraint(["deposit_id", "rail"], ["deposits.id", "deposits.rail"], name="fk_payouts_own_rail"),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.id"], name=op.f("fk_payouts_refund_id")),
        sa.PrimaryKeyConstraint("refund_id", "attempt", name=op.f("pk_payouts")),
        sa.UniqueConstraint("chain_id", "wallet", "nonce", name="uq_payouts_nonce"),
    )
    with op.batch_alter_table("payouts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_payouts_provider_ref"), ["provider_ref"], unique=False)
        batch_op.create_index(batch_op.f("ix_payouts_status"), ["status"], unique=False)
        batch_op.create_index(
            "uq_payouts_one_live_per_deposit",
            ["deposit_id"],
            unique=True,
            sqlite_where=sa.text("status NOT IN ('refused', 'failed', 'canceled', 'reverted')"),
            postgresql_where=sa.text("status NOT IN ('refused', 'failed', 'canceled', 'reverted')"),
        )

    op.create_table(
        "resolutions",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("resolution_id", sa.String(length=128), nullable=False),
        sa.Column("refund_id", sa.String(length=32), nullable=False),
        sa.Column("operator", sa.String(length=128), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("salt", sa.String(length=32), nullable=False),
        sa.Column("is_applied", sa.Boolean(), nullable=False),
        sa.Column("recorded_at", ledger.columns.UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["operator"], ["clients.name"], name=op.f("fk_resolutions_operator")),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.id"], name=op.f("fk_resolutions_refund_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_resolutions")),
        sa.UniqueConstraint("resolution_id", name=op.f("uq_resolutions_resolution_id")),
    )
    with op.batch_alter_table("resolutions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_resolutions_refund_id"), ["refund_id"], unique=False)

    op.create_table(
        "withdrawals",
        sa.Column("refund_id", sa.String(length=32), nullable=False),
        sa.Column("client", sa.String(length=128), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("salt", sa.String(length=32), nullable=False),
        sa.Column("recorded_at", ledger.columns.UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["client"], ["clients.name"], name=op.f("fk_withdrawals_client")),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.id"], name=op.f("fk_withdrawals_refund_id")),
        sa.PrimaryKeyConstraint("refund_id", name=op.f("pk_withdrawals")),
    )
    op.execute(sa.text("INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, :hash)").bindparams(hash="0" * 64))
    _make_append_only("audit_entries", "entries", "postings")


def _make_append_only(*tables: str) -> None:
    """Let the database itself refuse to change or delete what was written."""
    if op.get_context().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
        )
        for table in tables:
            op.execute(
                f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            )
        return
    for table in tables:
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )


def downgrade() -> None:
    raise RuntimeError("The first schema holds the books; it is never taken away.")
