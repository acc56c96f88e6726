"""What is wrong with a body or a query: the complaint to mend first, without anything that was sent."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from domain.complaints import sentence

PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}|[0-9]{1,3}", re.ASCII)  # a field, or a place in a list
PATH_LENGTH_MAX = 8
FORM_ELSE = "as /openapi.json says"


def first(complaints: Sequence[Mapping[str, Any]]) -> tuple[str, str, str]:
    """Return field, rule and sentence of the complaint to mend first: a misspelt name explains a missing field."""
    unknown = [it for it in complaints if it["type"] == "extra_forbidden"]
    field, rule, words, facts = _read((unknown or list(complaints))[0])
    if rule == "extra_forbidden":
        return field, rule, f"`{safe_path(field)}` is not a field here"
    return field, rule, f"{safe_path(field)}: {sentence(field, rule, words, facts, form_else=FORM_ELSE)}"


def safe_path(path: str) -> str:
    """Keep field names that look like ours: a name that a caller made up may be anything."""
    parts = [part if PLAIN_NAME.fullmatch(part) else "?" for part in path.split(".")]
    return ".".join(parts[:PATH_LENGTH_MAX])


def _read(complaint: Mapping[str, Any]) -> tuple[str, str, str, Mapping[str, Any]]:
    """Return field, rule, pydantic's words and the facts of the rule."""
    where, *path = [str(part) for part in complaint["loc"]]
    if path[:1] == ["payment"] and path[1:2] in (["card"], ["crypto"]):
        del path[1]  # pydantic names the branch that it took, which is no field
    kind = complaint["type"]
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return ".".join([*path, "rail"]), "enum", "", {"expected": "card or crypto"}
    if kind in ("model_attributes_type", "model_type"):
        kind = "object"
    return ".".join(path) or where, kind, complaint["msg"], complaint.get("ctx", {})
