"""What every test shares."""

import matplotlib
from hypothesis import settings

# No windows: macOS and Windows would open one for each figure.
matplotlib.use("Agg")

# How long one example takes says more about the machine than about the code.
settings.register_profile("course", parent=settings(), deadline=None)
settings.load_profile("course")
