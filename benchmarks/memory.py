"""The memory of a kernel that runs a chapter: once, and again and again as a reader does.

Each chapter has a new kernel, and its cells are run as JupyterLab runs them, with their ids.
"""

import os
import threading
from itertools import pairwise
from pathlib import Path
from time import sleep

import psutil
from jupyter_client.manager import KernelManager

from notebooks import build

MORE = 3  # Run All once, and this many times more
GOAL, GROWTH = 600, 2  # MB at the peak of any Run All; percent at each one more


class Kernel(KernelManager):
    """A kernel of the Python that runs this."""

    kernel_spec = build.ThisPython.kernel_spec


class Peak(threading.Thread):
    """The most memory that a process holds during a `with`."""

    def __init__(self, process: psutil.Process):
        super().__init__(daemon=True)
        self.process, self.rss, self.done = process, 0, threading.Event()

    def run(self) -> None:
        """Look every five milliseconds."""
        while not self.done.wait(0.005):
            self.rss = max(self.rss, self.process.memory_info().rss)

    def __enter__(self) -> "Peak":
        self.start()
        return self

    def __exit__(self, *failure) -> None:
        self.done.set()
        self.join()


def run(client, code: str, cell: str) -> None:
    """Run a cell and wait until it is done; RuntimeError where it fails."""
    content = {"code": code, "silent": False, "store_history": True, "stop_on_error": True}
    about = {"cellId": cell, "deletedCells": []}
    request = client.session.msg("execute_request", content, metadata=about)
    client.shell_channel.send(request)
    while True:
        answer = client.get_iopub_msg(timeout=300)
        if answer["parent_header"].get("msg_id") != request["header"]["msg_id"]:
            continue
        if answer["msg_type"] == "error":
            raise RuntimeError(f"{cell}\n" + "\n".join(answer["content"]["traceback"]))
        if answer["content"].get("execution_state") == "idle":
            return


def measure(path: Path) -> list[tuple[float, float]]:
    """For each Run All: the most that the kernel held, and what it holds then, in MB."""
    cells = [cell for cell in build.read_source(path).cells if cell.cell_type == "code"]
    manager, found = Kernel(), []
    manager.start_kernel(cwd=str(path.parent))
    client = manager.blocking_client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=60)
        process = psutil.Process(manager.provisioner.pid)
        for _ in range(1 + MORE):
            with Peak(process) as peak:
                for cell in cells:
                    run(client, cell.source, cell.id)
                sleep(0.5)  # to settle: what ends after its cell
            found.append((peak.rss / 1e6, process.memory_info().rss / 1e6))
        return found
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def main() -> None:
    """Print a line for each chapter, and what was aimed at."""
    os.environ.pop("QUANTCORE_STATIC", None)
    print("memory of a chapter's kernel, MB: peak and settled, of Run All once and again")
    highest, most = 0.0, 0.0
    for path in sorted(build.ROOT.glob("[!.]*/*.py")):
        found = measure(path)
        settled = [after for _, after in found]
        grown = [100 * (b - a) / a for a, b in pairwise(settled)]
        highest, most = max(highest, *(peak for peak, _ in found)), max(most, *grown)
        sizes = "".join(f"{peak:6.0f} {after:4.0f}" for peak, after in found)
        growth = "".join(f"{g:+6.1f} %" for g in grown)
        print(f"  {path.parent.name + '/' + path.stem:25}{sizes}   grown{growth}", flush=True)
    print(f"  highest peak    {highest:4.0f} MB     (goal below {GOAL})")
    print(f"  most growth     {most:4.1f} %      (goal below {GROWTH})")
