"""Stripe's own client, set up so that it can neither pay by mistake nor wait for ever."""

import re
from typing import Literal, TypeAlias

import stripe
from pydantic import SecretStr

from gateways.stripe.pace import Pace, PacedClient

KeyMode: TypeAlias = Literal["test", "live"]

STRIPE_API_BASE = "https://api.stripe.com"
CONNECT_SECONDS_MAX = 5.0
READ_SECONDS_MAX = 30.0  # for each pause of the answer
# Of reads alone: a request that moves money is repeated by nobody who has not looked in between.
NETWORK_RETRIES_MAX = 1

_KEY = re.compile(r"(?:sk|rk)_(?P<mode>test|live)_[A-Za-z0-9_]+")
_BASE = re.compile(r"https?://[^\s/?#@]+")


def build_client(
    secret_key: SecretStr,
    *,
    mode: KeyMode,
    api_base: str,
    connect_seconds_max: float,
    read_seconds_max: float,
    requests_per_second: float,
) -> stripe.StripeClient:
    """Make a client without connecting; raise `ValueError` when key, mode and address do not belong together.

    The errors never repeat the key.
    """
    match = _KEY.fullmatch(secret_key.get_secret_value())
    if match is None:
        raise ValueError("The Stripe key must be a secret (sk_) or restricted (rk_) key of test or live mode.")
    if match["mode"] != mode:
        raise ValueError(f"The Stripe key is a {match['mode']} key, but {mode} mode is expected.")
    base = api_base.rstrip("/")
    if _BASE.fullmatch(base) is None:
        raise ValueError("The Stripe address must be http(s)://host[:port] without path or user name.")
    if mode == "live" and base != STRIPE_API_BASE:
        raise ValueError(f"A live Stripe key may be sent to {STRIPE_API_BASE} only, not to {base}.")
    # A switch of the whole library: there is none per client. It keeps the platform and a file in the home
    # directory out of the calls.
    stripe.enable_telemetry = False
    return stripe.StripeClient(
        secret_key.get_secret_value(),
        base_addresses={"api": base},
        max_network_retries=NETWORK_RETRIES_MAX,
        # `requests` keeps one session per thread, so that one client serves all threads of a worker.
        http_client=PacedClient(Pace(requests_per_second), timeout=(connect_seconds_max, read_seconds_max)),
    )
