"""EVM chains: deposits read, payouts priced, signed, sent and seen."""
