"""Run every benchmark: `python -m benchmarks`, or name some: `python -m benchmarks core`."""

import sys

from . import core, latency, memory

BENCHMARKS = {"core": core.main, "latency": latency.main, "memory": memory.main}

for name in sys.argv[1:] or BENCHMARKS:
    BENCHMARKS[name]()
