"""What every test shares."""

import os

import matplotlib
from hypothesis import Phase, settings

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
