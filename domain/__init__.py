"""The vocabulary and the rules of a refund: pure, without clock, environment or input and output."""
