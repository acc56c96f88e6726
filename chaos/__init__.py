"""Refunds under every fault at once, from a seed; a judge outside the product counts what was paid."""
