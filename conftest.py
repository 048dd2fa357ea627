"""What every test shares."""

import os
from pathlib import Path

import matplotlib
from hypothesis import settings

# No windows: macOS and Windows would open one for each figure.
matplotlib.use("Agg")

# How long one example takes says more about the machine than about the code.
settings.register_profile("course", parent=settings(), deadline=None)
settings.load_profile("course")

# Python takes no patterns here, so each module is named; a chapter's own cells are __main__.
ROOT = Path(__file__).parent
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((ROOT / "quantcore").rglob("*.py"))
]
OLD = ("DeprecationWarning", "PendingDeprecationWarning", "FutureWarning")
os.environ["PYTHONWARNINGS"] = ",".join(
    f"error::{warning}:{module}" for module in ["__main__", *MODULES] for warning in OLD
)
