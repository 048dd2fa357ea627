"""`make doctor`: what it says of a machine where all is well, and of one where something is not."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import pytest

from notebooks import doctor


def test_the_class_can_start_here():
    done = subprocess.run(
        [sys.executable, "notebooks/doctor.py"], cwd=doctor.ROOT, capture_output=True, text=True
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split()[1] for line in lines[:-1]] == [c.__name__ for c in doctor.CHECKS]
    assert lines[-1] == "The class can start."


def old_python(patch):
    patch.setattr(doctor.sys, "version_info", (3, 9, 1))


def lost_package(patch):
    def version(name):
        raise PackageNotFoundError(name)

    patch.setattr(doctor, "version", version)


def no_widgets(patch):
    patch.setattr("jupyter_core.paths.jupyter_path", lambda *_: [])


def dead_kernel(patch):
    def start(**_):
        raise RuntimeError("Kernel died before replying")

    patch.setattr("jupyter_client.manager.start_new_kernel", start)


def no_letters(patch):
    class Font:
        def get_char_index(self, code):
            return 0

    patch.setattr("matplotlib.font_manager.get_font", lambda path: Font())


def no_memory(patch):
    patch.setattr(doctor, "MEMORY", 10.0**6)


def full_disk(patch):
    patch.setattr(doctor.shutil, "disk_usage", lambda path: type("Use", (), {"free": 1e8}))


def no_port(patch):
    patch.setattr(doctor, "PORT", 10**6)  # no such port: bind fails


@pytest.mark.parametrize(
    "name, harm, says",
    [
        ("python", old_python, "3.9.1"),
        ("packages", lost_package, "torch is missing"),
        ("widgets", no_widgets, "no widget manager"),
        ("kernel", dead_kernel, "Kernel died"),
        ("fonts", no_letters, "without x"),
        ("memory", no_memory, "GB free"),
        ("disk", full_disk, "0.1 GB free"),
        ("port", no_port, "port"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(monkeypatch, capsys, name, harm, says):
    monkeypatch.setattr(doctor, "CHECKS", [c for c in doctor.CHECKS if c.__name__ == name])
    harm(monkeypatch)
    with pytest.raises(SystemExit) as stopped:
        doctor.main()
    first, cure, last = capsys.readouterr().out.splitlines()
    assert stopped.value.code == 1
    assert first.startswith(f"WRONG  {name}") and says in first
    assert len(cure.strip()) > 20
    assert last.startswith("1 to mend")
