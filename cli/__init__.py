"""The `refunds` command."""
