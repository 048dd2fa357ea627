"""Run the tests on mutants, each in a forked process that has torch and pytest already."""

import importlib.abc
import importlib.util
import os
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from multiprocessing import connection, get_context

from .mutate import CONFIG, ROOT, Mutant, source_of

PRELOADED = (
    "torch",
    "numpy",
    "matplotlib.pyplot",
    "hypothesis",
    "pytest",
)  # never quantcore itself
PYTEST = (
    "-q -x --tb=no --assert=plain --no-header -p no:cacheprovider -o addopts= --doctest-modules"
)
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",  # a fork copies one thread only, so torch must not start any
    "HYPOTHESIS_PROFILE": "mutants",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
}
JOBS = int(os.environ.get("JOBS", os.cpu_count()))
MEMORY = 8 * 2**30  # bytes; a mutant may ask for a tensor without end


class MutatedModule(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports one module from a given source; no file is ever changed."""

    def __init__(self, module: str, source: str) -> None:
        self.name, self.source = f"quantcore.{module}", source
        self.path = str(ROOT / "quantcore" / f"{module}.py")

    def find_spec(self, name, path, target=None):
        """This module, and no other."""
        if name == self.name:
            return importlib.util.spec_from_file_location(name, self.path, loader=self)

    def get_source(self, name):
        """The mutant."""
        return self.source

    def get_code(self, name):
        """Compiled under the file's own name, where doctests are looked for."""
        return compile(self.source, self.path, "exec")


class Watch:
    """A pytest plugin: tests run in a given order; it notes how long each took and what failed."""

    def __init__(self, order: dict[str, float]) -> None:
        self.order, self.failed, self.seconds = order, None, Counter()

    def pytest_collection_modifyitems(self, items):
        """Called with the tests that were found; the least come first."""
        items.sort(key=lambda item: self.order.get(item.nodeid, 0))

    def pytest_runtest_logreport(self, report):
        """Called after set-up, call and tear-down of each test."""
        self.seconds[report.nodeid] += report.duration
        if report.failed:
            self.failed = report.nodeid


def prepare() -> None:
    """Import what every test needs, once for all mutants."""
    os.environ |= ENVIRONMENT
    for name in PRELOADED:
        importlib.import_module(name)


def survivors(module: str, mutants: list[Mutant]) -> Iterator[Mutant]:
    """The mutants that no test notices, as they are found; as many at a time as processors."""
    failed, seconds = _start(module, source_of(module), {}, 600).recv()
    if failed:
        sys.exit(f"mutants: {failed} fails without any mutant")
    limit = round(20 + 10 * sum(seconds.values()))
    # Per function, the tests that killed a mutant before, the busiest first; then the quick ones.
    killers, waiting, running = defaultdict(Counter), mutants[::-1], {}
    while waiting or running:
        while waiting and len(running) < JOBS:
            mutant = waiting.pop()
            first = {test: -count for test, count in killers[mutant.function].items()}
            running[_start(module, mutant.source, seconds | first, limit)] = mutant
        for result in connection.wait(running):
            mutant = running.pop(result)
            try:
                failed, _ = result.recv()
            except EOFError:
                failed = "out of time, or crashed"
            if failed:
                killers[mutant.function][failed] += 1
            else:
                yield mutant


def _start(module: str, source: str, order: dict[str, float], limit: int):
    """Fork a process that runs the tests; what it finds can be received from the result."""
    fork = get_context("fork")
    result, sender = fork.Pipe(duplex=False)
    fork.Process(target=_test, args=(module, source, order, limit, sender), daemon=True).start()
    sender.close()
    return result


def _test(module: str, source: str, order: dict[str, float], limit: int, sender) -> None:
    import resource

    import pytest

    signal.alarm(limit)  # ends the process, whatever it is doing
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    os.chdir(ROOT)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    sys.meta_path.insert(0, MutatedModule(module, source))
    watch = Watch(order)
    files = [f"tests/{name}.py" for name in CONFIG["tests"][module]]
    status = pytest.main([*PYTEST.split(), *files, f"quantcore/{module}.py"], plugins=[watch])
    sender.send((watch.failed or (f"pytest: {status!r}" if status else None), watch.seconds))
    os._exit(0)  # without the clean-up that belongs to the parent
