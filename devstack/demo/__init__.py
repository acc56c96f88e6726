"""The demo: real refunds on the local stack, played through the public HTTP API only."""

from devstack.demo.stage import play

__all__ = ["play"]
