"""Test the tests: `python -m mutants`, or name some modules: `python -m mutants schemes`.

config.toml says which tests must notice which module's mutants; equivalent/ lists the mutants that
no test can notice. Exits with 1 if fewer than 95 % of the others die, or if a list is out of date.
"""

import os
import sys
import time
import tomllib

from .mutate import CONFIG, HERE, mutants_of
from .run import prepare, survivors

REQUIRED = 0.95


def listed(module: str) -> dict[tuple[str, str, str], str]:
    """The mutants that are known to be equivalent, each with its reason."""
    path = HERE / "equivalent" / f"{module}.toml"
    entries = tomllib.loads(path.read_text("utf-8"))["mutant"] if path.exists() else []
    return {
        (entry["function"], entry["before"], after): entry["reason"]
        for entry in entries
        for after in entry["after"]
    }


def judge(module: str) -> bool:
    """Run every mutant of a module, print what became of them, and say whether it is well."""
    start, mutants, reasons = time.monotonic(), mutants_of(module), listed(module)
    holes, equivalent = 0, set()
    for mutant in survivors(module, mutants):
        if mutant.key in reasons:
            equivalent.add(mutant)
        else:
            holes += 1
            print(f"survived in {module}, line {mutant.line}: {mutant}", flush=True)
    stale = reasons.keys() - {mutant.key for mutant in equivalent}
    for function, before, after in sorted(stale):
        print(f"listed in {module}, but dead or gone: {function}\n  - {before}\n  + {after}")
    killed = len(mutants) - holes - len(equivalent)
    score = killed / (killed + holes)
    print(
        f"{module:12} {len(mutants):4} mutants: {killed:4} killed, {holes:2} survived, "
        f"{len(equivalent):2} equivalent: {100 * score:5.1f} %; {time.monotonic() - start:.0f} s",
        flush=True,
    )
    return score >= REQUIRED and not stale


def main() -> int:
    """Judge the modules that the command line names, or all of them."""
    if not hasattr(os, "fork"):
        sys.exit("mutants: needs a system with fork: Linux, macOS, or Windows' WSL")
    prepare()
    return not all([judge(module) for module in sys.argv[1:] or CONFIG["tests"]])


if __name__ == "__main__":
    sys.exit(main())
