"""The tables. What must be unique stands here, in the schema, and not only in code."""

from ledger.tables.base import Json as Json
from ledger.tables.base import Row as Row
from ledger.tables.billing import Account as Account
from ledger.tables.billing import Deposit as Deposit
from ledger.tables.billing import Entry as Entry
from ledger.tables.billing import Order as Order
from ledger.tables.billing import OrderPart as OrderPart
from ledger.tables.billing import Posting as Posting
from ledger.tables.idempotency import KeyedAnswer as KeyedAnswer
from ledger.tables.payouts import ChainTransaction as ChainTransaction
from ledger.tables.payouts import Payout as Payout
from ledger.tables.payouts import Wallet as Wallet
from ledger.tables.people import Client as Client
from ledger.tables.people import Decision as Decision
from ledger.tables.people import OwnershipConfirmation as OwnershipConfirmation
from ledger.tables.people import Resolution as Resolution
from ledger.tables.people import Withdrawal as Withdrawal
from ledger.tables.rails import RailStop as RailStop
from ledger.tables.rails import RailWord as RailWord
from ledger.tables.refunds import Finding as Finding
from ledger.tables.refunds import Hold as Hold
from ledger.tables.refunds import Message as Message
from ledger.tables.refunds import Refund as Refund
from ledger.tables.trail import AuditEntry as AuditEntry
from ledger.tables.trail import AuditHead as AuditHead
from ledger.tables.trail import Reconciliation as Reconciliation
