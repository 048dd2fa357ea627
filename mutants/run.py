"""Run the tests on mutants, each in a forked process that has torch and pytest already."""

import importlib.abc
import importlib.util
import os
import signal
import sys
from multiprocessing import connection, get_context

from .mutate import CONFIG, ROOT, Mutant

PRELOADED = ("torch", "numpy", "matplotlib", "hypothesis", "pytest")  # never quantcore itself
PYTEST = (
    "-q -x --tb=no --assert=plain --no-header -p no:cacheprovider -o addopts= --doctest-modules"
)
MEMORY = 8 * 2**30  # bytes; a mutant may ask for a tensor without end
FORK = get_context("fork") if hasattr(os, "fork") else None


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
        """The mutant; the loader compiles it."""
        return self.source

    def get_code(self, name):
        """Compiled under the file's own name, so that doctests are found."""
        return compile(self.source, self.path, "exec")


class Sooner:
    """A pytest plugin: the tests likeliest to fail first; it notes what failed, and times."""

    def __init__(self, order: dict[str, float]) -> None:
        self.order, self.failed, self.seconds = order, None, {}

    def pytest_collection_modifyitems(self, items):
        """Killers come before quick tests, quick ones before slow ones."""
        items.sort(key=lambda item: self.order.get(item.nodeid, 0))

    def pytest_runtest_logreport(self, report):
        """Called after set-up, call and tear-down of each test."""
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0) + report.duration
        if report.failed:
            self.failed = report.nodeid


class Bench:
    """Runs mutants, as many at a time as there are processors."""

    def __init__(self) -> None:
        # A fork copies one thread only, so torch must not have started any.
        os.environ |= {"OMP_NUM_THREADS": "1", "HYPOTHESIS_PROFILE": "mutants"}
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        for name in PRELOADED:
            importlib.import_module(name)
        self.tests = CONFIG["tests"]
        self.jobs = int(os.environ.get("JOBS", os.cpu_count()))

    def survivors(self, module: str, mutants: list[Mutant]) -> list[Mutant]:
        """The mutants that no test notices."""
        source = (ROOT / "quantcore" / f"{module}.py").read_text("utf-8")
        healthy, killers, waiting, running = Mutant(source, 0, "", "", ""), {}, mutants[::-1], {}
        process, reader = self._start(module, healthy, {}, 600)
        failed, seconds = reader.recv()
        process.join()
        if failed is not None:
            sys.exit(f"mutants: {failed} fails without any mutant")
        limit, found = round(20 + 10 * sum(seconds.values())), []
        while waiting or running:
            while waiting and len(running) < self.jobs:
                mutant = waiting.pop()
                first = {test: -1 - n for test, n in killers.get(mutant.function, {}).items()}
                process, reader = self._start(module, mutant, seconds | first, limit)
                running[process.sentinel] = process, reader, mutant
            for sentinel in connection.wait(running):
                process, reader, mutant = running.pop(sentinel)
                process.join()
                try:
                    failed, _ = reader.recv()
                except EOFError:  # time is up, or the interpreter crashed
                    failed = f"signal {-process.exitcode}"
                if failed is None:
                    found.append(mutant)
                else:
                    tests = killers.setdefault(mutant.function, {})
                    tests[failed] = tests.get(failed, 0) + 1
                if os.environ.get("VERBOSE"):
                    print(f"{mutant.line}: {mutant}\n  {failed or 'SURVIVED'}", flush=True)
        return found

    def _start(self, module: str, mutant: Mutant, order: dict[str, float], limit: int):
        reader, writer = FORK.Pipe(duplex=False)
        process = FORK.Process(target=self._test, args=(module, mutant, order, limit, writer))
        process.start()
        writer.close()
        return process, reader

    def _test(self, module: str, mutant: Mutant, order: dict[str, float], limit: int, writer):
        """In the child: import the mutant, run the tests, say which one failed."""
        import resource

        import pytest

        signal.alarm(limit)  # ends the process, whatever it is doing
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        os.chdir(ROOT)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        sys.meta_path.insert(0, MutatedModule(module, mutant.source))
        plugin = Sooner(order)
        files = [f"tests/{name}.py" for name in self.tests[module]] + [f"quantcore/{module}.py"]
        status = pytest.main(PYTEST.split() + files, plugins=[plugin])
        failed = plugin.failed or (f"pytest ended with {status!r}" if status else None)
        writer.send((failed, plugin.seconds))
        writer.close()
        os._exit(0)
