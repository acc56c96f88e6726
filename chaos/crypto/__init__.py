"""What only the crypto rail has: a chain, its endpoints with faults, blows to the chain, and where money is read."""
