"""A local stand-in for Stripe's card payments, refunds and disputes, run as a process of its own."""
