"""Test the tests: `python -m mutants`, or name some modules: `python -m mutants schemes`.

config.toml says which tests must notice which module's mutants; equivalent/ lists the mutants that
no test can notice. Exits with 1 if fewer than 95 % of the others die, or if a list is out of date.
"""

import os
import sys
import time
import tomllib

from .mutate import HERE, Mutant, mutants_of
from .run import Bench

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


def judge(module: str, bench: Bench) -> bool:
    """Run every mutant of a module, print what became of them, and say whether it is well."""
    start, mutants, reasons = time.monotonic(), mutants_of(module), listed(module)
    survivors = bench.survivors(module, mutants)
    equivalent = [m for m in survivors if m.key in reasons]
    holes = [m for m in survivors if m.key not in reasons]
    stale = reasons.keys() - {m.key for m in survivors}
    killed = len(mutants) - len(survivors)
    score = killed / (killed + len(holes))
    for mutant in holes:
        print(f"\nsurvived in {module}, line {mutant.line}: {mutant}")
    for function, before, after in sorted(stale):
        print(f"\nlisted as equivalent, but dead or gone: {Mutant('', 0, function, before, after)}")
    print(
        f"{module:12} {len(mutants):4} mutants: {killed:4} killed, {len(holes):2} survived, "
        f"{len(equivalent):2} equivalent; {100 * score:5.1f} % in {time.monotonic() - start:.0f} s",
        flush=True,
    )
    return score >= REQUIRED and not stale


def main() -> int:
    """Judge the modules that the command line names, or all of them."""
    if not hasattr(os, "fork"):
        sys.exit("mutants: needs a system with fork (Linux, macOS, or Windows' WSL)")
    bench = Bench()
    return not all([judge(module, bench) for module in sys.argv[1:] or bench.tests])


if __name__ == "__main__":
    sys.exit(main())
