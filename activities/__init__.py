"""One step of the outside world each: thin, safe to run twice, with what they need handed to them."""
