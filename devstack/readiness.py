"""Questions that only a component which works can answer, asked over HTTP."""

import httpx2

from devstack.processes import CHECK_SECONDS_MAX, Condition


def new_http_client() -> httpx2.AsyncClient:
    """Make a client that reaches loopback addresses whatever proxy the environment names."""
    return httpx2.AsyncClient(trust_env=False, timeout=CHECK_SECONDS_MAX)


def answers(http: httpx2.AsyncClient, url: str) -> Condition:
    """Tell whether GET is answered with 200."""

    async def ask(_: int) -> bool:
        try:
            return (await http.get(url)).status_code == 200
        except httpx2.HTTPError:
            return False

    return ask


def serves_chain(http: httpx2.AsyncClient, url: str, chain_id: int) -> Condition:
    """Tell whether an EVM node of this chain answers."""

    async def ask(_: int) -> bool:
        question = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
        try:
            answer = await http.post(url, json=question)
            return bool(answer.json().get("result") == hex(chain_id))
        except (httpx2.HTTPError, ValueError):
            return False

    return ask
