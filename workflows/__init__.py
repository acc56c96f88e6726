"""The durable order of steps, waits and arrows. Deterministic: no clock, environment, vendor or database."""
