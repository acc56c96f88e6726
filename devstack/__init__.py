"""What stands in locally for Temporal, Stripe and a chain, and the demo. Never in the production image."""
