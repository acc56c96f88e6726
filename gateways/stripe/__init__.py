"""The card rail: reading card payments and paying them back through Stripe."""
