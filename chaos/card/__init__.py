"""The card rail of a run: the simulator of Stripe behind a proxy with faults, a bank, and a judge."""
