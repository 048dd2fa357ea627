"""From a key press to changed pixels, in a real JupyterLab and a real Chromium.

Side by side in one run: the explorer, the same three panels redrawn under `interact`, and the
floor, an 8×8-pixel image that the kernel sends back for the same slider.
"""

import sys
import tempfile
from pathlib import Path
from statistics import median, quantiles

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from browser import chromium_page, find_chromium, jupyterlab, open_notebook, write_notebook

SETUP = """
import io, torch, ipywidgets, numpy as np, matplotlib.pyplot as plt
from PIL import Image
from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer, explore
x = torch.randn(10_000, generator=torch.Generator().manual_seed(0))
big = torch.randn(10_000_000, generator=torch.Generator().manual_seed(0))
def first_visits(x):
    e = explore.quantization(x)
    e.neighbours = lambda *state: []  # measured without the frames drawn ahead
    return e
"""
INTERACT = """
def visualize(bits, symmetric):
    scheme = QuantizationScheme.from_bits(bits)
    quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, scheme, symmetric))
    x_q = quantizer(x)
    error = x - x_q
    fig, axes = plt.subplots(1, 3, figsize=(15, 4))
    axes[0].hist(x.numpy(), bins=50, alpha=0.5, label="original")
    axes[0].hist(x_q.numpy(), bins=50, alpha=0.5, label="quantized")
    axes[0].legend()
    axes[1].hist(error.numpy(), bins=50)
    axes[1].set_title(f"MSE {error.square().mean():.6f}")
    axes[2].scatter(x.numpy(), x_q.numpy(), alpha=0.3, s=1)
    for ax in axes:
        ax.grid(True, alpha=0.3)
    plt.tight_layout()
    plt.show()
bits = ipywidgets.SelectionSlider(options=[(str(b), b) for b in range(2, 9)], value=8)
ipywidgets.interact(visualize, bits=bits, symmetric=True);
"""
FLOOR = """
def square(b):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (b * 30, 0, 0)).save(buffer, "png")
    return buffer.getvalue()
bits = ipywidgets.SelectionSlider(options=[(str(b), b) for b in range(2, 9)], value=8)
image = ipywidgets.Image(value=square(8), width=80, height=80)
bits.observe(lambda change: setattr(image, "value", square(change.new)), "value")
ipywidgets.VBox([bits, image])
"""
EXPLORER = "first_visits(x)"

# Resolves with the milliseconds from the key press to just after another picture was painted.
WATCH = """(cell) => {
  window.seen = new Promise(resolve => {
    const find = () => [...cell.querySelectorAll('.jp-OutputArea-output img')].at(-1);
    const before = find().src;
    window.addEventListener('keydown', () => {
      const start = performance.now();
      const look = () => {
        const image = find();
        if (!image || image.src === before || !image.complete || !image.naturalWidth)
          return requestAnimationFrame(look);
        const painted = new MessageChannel();
        painted.port1.onmessage = () => resolve(performance.now() - start);
        painted.port2.postMessage('');
      };
      requestAnimationFrame(look);
    }, {capture: true, once: true});
  });
}"""


def steps(page, cell, keys: list[str]) -> list[float]:
    """Press each key on the cell's slider; the latency of each, in ms."""
    handle = cell.locator(".noUi-handle").first
    times = []
    for key in keys:
        handle.focus()
        cell.evaluate(WATCH)
        page.keyboard.press(key)
        times.append(page.evaluate("() => window.seen"))
    return times


def main() -> None:
    """Print median and 95th percentile of each, and the ratios that were aimed at."""
    if find_chromium() is None:
        print("latency: no Chromium found, not measured; install Debian's `chromium` package")
        return
    down, up = ["ArrowLeft"] * 6, ["ArrowRight"] * 6
    cells = [SETUP, FLOOR, INTERACT, *[EXPLORER] * 3, *["first_visits(big)"] * 3]
    with tempfile.TemporaryDirectory() as folder:
        write_notebook(Path(folder) / "latency.ipynb", *cells)
        with jupyterlab(Path(folder)) as address, chromium_page() as page:
            open_notebook(page, address, "latency.ipynb")
            cell = page.locator(".jp-Notebook .jp-CodeCell").nth
            times = {"interact": [], "floor": [], "first": [], "seen": [], "big": []}
            for i in range(3):
                times["interact"] += steps(page, cell(2), down + up)
                times["floor"] += steps(page, cell(1), down + up)
                times["first"] += steps(page, cell(3 + i), down)
                times["seen"] += steps(page, cell(3 + i), up + down)
                times["big"] += steps(page, cell(6 + i), down)
    print("key press to changed pixels, JupyterLab in Chromium, x of 10⁴ values (big: 10⁷)")
    for name, t in times.items():
        print(f"  {name:9} median {median(t):6.1f} ms   p95 {quantiles(t, n=20)[-1]:6.1f} ms")
    m = {name: median(t) for name, t in times.items()}
    print(f"  first / interact {m['first'] / m['interact']:.2f}   (goal at most 0.20)")
    print(f"  seen / floor     {m['seen'] / m['floor']:.2f}   (goal at most 1.50)")
    print(f"  big / first      {m['big'] / m['first']:.2f}   (goal at most 1.50)")
