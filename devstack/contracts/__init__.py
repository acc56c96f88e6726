"""Contracts that play tokens and customers on the local chain, compiled ahead, so that running needs no compiler."""
