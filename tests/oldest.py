"""The oldest versions that pyproject.toml allows, as constraints for pip.

`python tests/oldest.py torch==2.13.0` puts that version in the place of torch's floor.
"""

import re
import sys
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


def floors() -> dict[str, str]:
    """The lower end of the range of every dependency, of every extra."""
    project = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]
    lines = sum(project["optional-dependencies"].values(), project["dependencies"])
    return dict(re.fullmatch(r"([\w-]+).*>=([\d.]+),.*", line).groups() for line in lines)


if __name__ == "__main__":
    chosen = floors() | dict(argument.split("==") for argument in sys.argv[1:])
    print("\n".join(f"{name}=={version}" for name, version in chosen.items()))
