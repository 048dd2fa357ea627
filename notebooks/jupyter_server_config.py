"""How JupyterLab behaves in the course: `make lab` sets JUPYTER_CONFIG_PATH=notebooks.

So it finds labconfig/ too, where the question about news is answered: nothing is fetched.
"""

import json
import os
import warnings
from pathlib import Path

c = get_config()  # noqa: F821

WIDGET = "application/vnd.jupyter.widget-view+json"


def before_saving(model: dict, path: str, contents_manager, **_) -> None:
    """Drop from a notebook what would be wrong in the file.

    The views of widgets: their models live in the kernel alone, so a view that is opened later is
    nothing but an error beside the picture. The text that is displayed with it says what to do.

    And in the chapters, what JupyterLab adds about the kernel as soon as it opens them, and which
    cells a reader has folded, so that git and the tests see no change where a reader made none.
    """
    if model["type"] != "notebook":
        return
    for cell in model["content"].get("cells", ()):
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop(WIDGET, None)
    file = Path(contents_manager.root_dir, path)
    if path.startswith("notebooks/") and file.exists():
        model["content"]["metadata"] = json.loads(file.read_text("utf-8"))["metadata"]
        for cell in model["content"]["cells"]:  # what is folded, as notebooks/build.py writes it
            cell["metadata"].pop("jupyter", None)
            if "fold" in cell["metadata"].get("tags", ()):
                cell["metadata"]["jupyter"] = {"source_hidden": True}


c.ContentsManager.pre_save_hook = before_saving
# This file is loaded more than once, and each time the hook is said to replace the one before.
warnings.filterwarnings("ignore", "Overriding existing pre_save_hook")

# `make lab` says which edition; others who start JupyterLab get the English one if there is one.
edition = os.environ.get("EDITION") or ("en" if Path("notebooks/en/SUMMARY.md").exists() else "zh")
c.LabApp.default_url = f"/lab/tree/my/{edition}/00_start.ipynb"
# The address is still printed, without the thirty lines around it.
c.Application.log_level = "ERROR"
# Else JupyterLab does not start as root, which is whom a container has.
c.ServerApp.allow_root = True
