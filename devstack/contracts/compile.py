"""Compiles the contracts beside it anew; run by hand with an interpreter that has vyper 0.4.3."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Write the JSON file of each source: its ABI, the code that makes the contract, and which source that was."""
    vyper = Path(sys.executable).with_name("vyper")
    for source in sorted(HERE.glob("*.vy")):
        told = subprocess.run(
            [vyper, "-f", "combined_json", source.name], cwd=HERE, check=True, capture_output=True, text=True
        )
        compiled = json.loads(told.stdout)[source.name]
        kept = {
            "abi": compiled["abi"],
            "bytecode": compiled["bytecode"],
            "source_sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        }
        source.with_suffix(".json").write_text(json.dumps(kept, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
