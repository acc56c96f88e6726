"""Form-encoded parameters as Stripe's clients send them, with nested keys such as `metadata[refund_id]`."""

import re
from typing import TypeAlias
from urllib.parse import parse_qsl

FormValue: TypeAlias = "str | dict[str, FormValue]"
Form: TypeAlias = dict[str, FormValue]

_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_SUBKEY = re.compile(r"\[([^\[\]]*)\]")


def parse_form(encoded: str) -> Form:
    """Read a body or query into nested dictionaries; `a[]=x` and `a[0]=x` both become `{"0": "x"}`.

    A key whose brackets do not pair stays as it is, so that it is reported as unknown by its own name.
    """
    form: Form = {}
    for key, value in parse_qsl(encoded, keep_blank_values=True):
        match = _KEY.fullmatch(key)
        if match is None:
            form[key] = value
            continue
        _put(form, [match[1], *_SUBKEY.findall(match[2])], value)
    return form


def _put(form: Form, path: list[str], value: str) -> None:
    node = form
    for name in path[:-1]:
        child = node.get(name)
        if not isinstance(child, dict):
            child = {}
            node[name] = child
        node = child
    last = path[-1] if path[-1] or len(path) == 1 else str(len(node))
    node[last] = value
