"""Other people's systems, in our words."""
