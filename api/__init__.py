"""HTTP for help desk, billing feed, providers and operators."""
