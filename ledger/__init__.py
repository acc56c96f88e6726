"""Our database, where money is decided: books, holds, payouts, decisions and the audit trail."""
