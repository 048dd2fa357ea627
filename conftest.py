"""What every test shares."""

import os
from pathlib import Path

import matplotlib
from hypothesis import Phase, settings

pytest_plugins = ["notebooks.again"]  # nbval's cells run once more

# No windows: macOS and Windows would open one for each figure.
matplotlib.use("Agg")

# How long one example takes says more about the machine than about the code.
settings.register_profile("course", parent=settings(), deadline=None)
# A mutant needs one example that fails, the same ones each time, and no smaller one.
settings.register_profile(
    "mutants",
    parent=settings(deadline=None),
    max_examples=50,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "course"))

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
# Chapters are compared with what was saved, and bars are not saved.
os.environ["TQDM_DISABLE"] = "1"
