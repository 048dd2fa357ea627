"""Open a chapter for a class: `make present CHAPTER=04_quantizer`.

JupyterLab without side bars, one document, letters that the last row reads, a kernel that has
started and has run the set-up cells (what is imported, and the language): the first slider is one
Shift + Enter away. The chapter is a copy that is made anew each time: what is typed in class harms
nothing, and the answers are not printed yet.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import webbrowser
from pathlib import Path

import nbformat

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script too

from notebooks.copies import fresh

ROOT = Path(__file__).parents[1]
WORKSPACE = "class"
LETTERS = {"code-font-size": "20px", "content-font-size1": "22px", "ui-font-size1": "15px"}
SET_UP = ("import ", "from ", "explore.set_language(")  # how a set-up cell begins


def layout(path: str) -> dict:
    """A workspace with that notebook alone, and no side bars."""
    hidden = {"collapsed": True, "visible": False, "widgets": []}
    data = {
        "layout-restorer:data": {
            "main": {"current": f"notebook:{path}", "dock": None},
            "left": hidden,
            "right": hidden,
            "down": {"size": 0, "widgets": []},
            "top": {"simpleVisibility": True},
        }
    }
    return {"data": data, "metadata": {"id": WORKSPACE}}


def set_up(notebook: nbformat.NotebookNode) -> list[int]:
    """The positions of the code cells that come before all others, and only prepare."""
    found = []
    for i, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            if not cell.source.startswith(SET_UP):
                break
            found.append(i)
    return found


def copy(edition: str, name: str) -> Path:
    """A new copy of the chapter, my/EDITION/NAME-class.ipynb, for this class alone."""
    chapter = ROOT / "notebooks" / edition / f"{name}.ipynb"
    if not chapter.exists():
        known = ", ".join(sorted(p.stem for p in chapter.parent.glob("[0-9]*.ipynb")))
        sys.exit(f"say which chapter, as in `make present CHAPTER=04_quantizer`: {known}")
    place = ROOT / "my" / edition / f"{name}-class.ipynb"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(nbformat.writes(fresh(chapter)) + "\n", "utf-8", newline="\n")
    return place


class Server:
    """A JupyterLab of our own, and its REST interface."""

    def __init__(self, port: int) -> None:
        # JupyterLab takes sizes of letters from a user's settings alone: these are the class's.
        settings = ROOT / "my" / ".class"
        file = settings / "@jupyterlab/apputils-extension/themes.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"overrides": LETTERS}), "utf-8")
        env = os.environ | {"JUPYTER_CONFIG_PATH": "notebooks"}
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}"]
        command += [f"--LabApp.user_settings_dir={settings}"]
        self.process = subprocess.Popen(command, cwd=ROOT, env=env)
        self.address = self.token = ""

    def wait(self, seconds: float = 60) -> None:
        """Until it answers; exits where it has stopped."""
        from jupyter_server.serverapp import list_running_servers

        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                sys.exit("JupyterLab did not start: `make doctor` says why")
            ours = (s for s in list_running_servers() if s["pid"] == self.process.pid)
            if found := next(ours, None):
                self.address, self.token = found["url"], found["token"]
                try:
                    self.ask("api")
                    return
                except OSError:
                    pass
            time.sleep(0.1)
        sys.exit(f"JupyterLab does not answer after {seconds:g} s: `make doctor` says why")

    def ask(self, path: str, body: dict | None = None, method: str | None = None) -> dict:
        """One request to its REST interface."""
        request = urllib.request.Request(
            self.address + path,
            json.dumps(body).encode() if body else None,
            {"Authorization": f"token {self.token}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or "{}")


def start_kernel(server: Server, path: str) -> str:
    """A kernel for the notebook at that path: JupyterLab takes it when it opens the notebook."""
    about = {"path": path, "name": Path(path).name, "type": "notebook"}
    session = server.ask("api/sessions", about | {"kernel": {"name": "python3"}})
    return session["kernel"]["id"]


def run(kernel: str, sources: list[str]) -> None:
    """Run the sources in the kernel with that id."""
    from jupyter_client.blocking.client import BlockingKernelClient
    from jupyter_core.paths import jupyter_runtime_dir

    client = BlockingKernelClient()
    client.load_connection_file(str(Path(jupyter_runtime_dir(), f"kernel-{kernel}.json")))
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        for source in sources:
            reply = client.execute_interactive(source, timeout=120)["content"]
            if reply["status"] != "ok":
                sys.exit(f"a set-up cell failed: {reply['ename']}: {reply['evalue']}")
    finally:
        client.stop_channels()


def main() -> None:
    """Read the command line, and present until the instructor stops it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("edition")
    parser.add_argument("chapter", nargs="?", default="")
    parser.add_argument("--port", type=int, default=8888)
    parser.add_argument("--no-browser", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # JupyterLab is stopped, too
    place = copy(options.edition, options.chapter)
    notebook = nbformat.read(place, as_version=4)
    path = place.relative_to(ROOT).as_posix()
    server = Server(options.port)
    try:
        server.wait()
        run(start_kernel(server, path), [notebook.cells[i].source for i in set_up(notebook)])
        server.ask(f"lab/api/workspaces/{WORKSPACE}", layout(path), "PUT")
        address = f"{server.address}doc/workspaces/{WORKSPACE}/tree/{path}?token={server.token}"
        print(f"The set-up cells have run. Stop with Ctrl + C.\n{address}", flush=True)
        if not options.no_browser:
            webbrowser.open(address)
        server.process.wait()
    except KeyboardInterrupt:
        pass
    finally:
        server.process.terminate()
        server.process.wait(20)


if __name__ == "__main__":
    main()
