"""The interactive figures of the course. Each call returns an Explorer that displays itself.

The arguments are the data and where the controls start.
"""

from __future__ import annotations

import io
import itertools
import wave
from collections.abc import Callable

import torch
from torch import Tensor

from .. import samples, visualization, words
from ..calibration import METHODS
from ..checks import require_float_tensor, require_matrix
from ..params import QuantizationParams
from ..quantizer import UniformQuantizer
from ..schemes import QuantizationScheme
from ..sheet import Sheet
from ..survey import progress
from . import figures
from .explorer import Control, Explorer

__all__ = [
    "accuracy", "calibration", "chord", "clipping", "formats", "granularity", "grid", "outlier",
    "photo", "quantization", "rate", "set_language", "shapes", "spectrum", "staircase", "workbench",
]  # fmt: skip

GROUP = 16  # values that share a scale in the layout "per group"
# The options of `from_tensor` for each layout; channels are the rows.
LAYOUTS: dict[str, dict[str, int]] = {
    "per tensor": {},
    "per channel": {"axis": 0},
    "per group": {"group_size": GROUP},
}


def set_language(language: str) -> None:
    """Choose the language of the controls and descriptions, "en" or "zh", for all figures."""
    from .live import install

    words.set_language(language)
    install()


def bits_control(start: int, values=(2, 3, 4, 5, 6, 7, 8)) -> Control:
    return Control("bits", tuple(values), start)


def check(name: str, start: bool) -> Control:
    return Control(name, (False, True), start)


def granularities() -> Control:
    return Control("granularity", tuple(LAYOUTS), "per tensor")


def fit(x: Tensor, bits: int, symmetric: bool = True, **options) -> UniformQuantizer:
    """The signed quantizer of that bit width for x."""
    scheme = QuantizationScheme.from_bits(bits)
    return UniformQuantizer(QuantizationParams.from_tensor(x, scheme, symmetric, **options))


def own(x: Tensor, name: str = "x") -> Tensor:
    """A copy of a float tensor: what happens to x later does not reach a figure."""
    require_float_tensor(x, name)
    return x.detach().clone()


def quantization(x: Tensor, bits: int = 8, symmetric: bool = True) -> Explorer:
    """Distribution, error, original against quantized, for any float tensor."""
    x = own(x)
    drawn = visualization.few(x)  # it holds the extremes, so its range is that of x

    def draw(sheet, bits, symmetric):
        quantizer = fit(drawn, bits, symmetric)
        return visualization.draw_quantization(sheet, x, quantizer, drawn)

    return Explorer(
        "quantization",
        Sheet(3),
        draw,
        bits_control(bits),
        check("symmetric", symmetric),
        compare=True,
    )


def staircase(bits: int = 3, symmetric: bool = False, lo: float = -1, hi: float = 2) -> Explorer:
    """x̂ over x for the range [lo, hi], with the error and the straight-through gradient."""
    ends = torch.tensor([lo, hi], dtype=torch.float64)

    def draw(sheet, bits, symmetric):
        return visualization.draw_staircase(sheet, fit(ends, bits, symmetric), lo, hi)

    controls = bits_control(bits), check("symmetric", symmetric)
    return Explorer("staircase", Sheet(2, height=3.8), draw, *controls, compare=True)


def shapes(bits: int = 4, symmetric: bool = True, shape: str = "normal") -> Explorer:
    """The three panels for five shapes of data."""

    def draw(sheet, shape, bits, symmetric):
        x = samples.distribution(shape)
        return visualization.draw_quantization(sheet, x, fit(x, bits, symmetric))

    controls = Control("shape", samples.SHAPES, shape), bits_control(bits, (2, 3, 4, 5, 6, 8))
    symmetry = check("symmetric", symmetric)
    return Explorer("shapes", Sheet(3), draw, *controls, symmetry, compare=True)


def rate(bits: int = 4, symmetric: bool = True, shape: str = "normal") -> Explorer:
    """How often each code occurs, and how many bits an ideal code would give it: five shapes."""

    def draw(sheet, shape, bits, symmetric):
        x = samples.distribution(shape)
        return figures.draw_rate(sheet, x, fit(x, bits, symmetric), bits)

    controls = Control("shape", samples.SHAPES, shape), bits_control(bits, (2, 3, 4, 5, 6, 8))
    return Explorer("rate", Sheet(2), draw, *controls, check("symmetric", symmetric))


def workbench(x: Tensor, bits: int = 4, symmetric: bool = True) -> Explorer:
    """The three panels for a matrix: bit width, symmetry, granularity and calibration."""
    require_matrix(x)
    x = own(x)

    def draw(sheet, bits, symmetric, granularity, method):
        quantizer = fit(x, bits, symmetric, method=method, **LAYOUTS[granularity])
        return visualization.draw_quantization(sheet, x, quantizer)

    controls = bits_control(bits, (2, 3, 4, 8)), check("symmetric", symmetric)
    # Two methods: with more of them there would be more states than a page may hold.
    method = Control("method", ("minmax", "mse"), "minmax")
    layout = granularities()
    return Explorer("workbench", Sheet(3), draw, *controls, layout, method, compare=True)


def granularity(w: Tensor, bits: int = 4, symmetric: bool = True) -> Explorer:
    """Heat maps of a weight matrix (one row per channel) and of its error."""
    require_matrix(w, "w")
    w = own(w, "w")

    def draw(sheet, granularity, bits, symmetric):
        quantizer = fit(w, bits, symmetric, **LAYOUTS[granularity])
        return visualization.draw_matrix(sheet, w, quantizer, bits)

    controls = bits_control(bits), check("symmetric", symmetric)
    sheet = Sheet(3, height=3.8)
    return Explorer("granularity", sheet, draw, granularities(), *controls, compare=True)


def outlier(x: Tensor, bits: int = 8, symmetric: bool = True) -> Explorer:
    """One value of x is replaced by an outlier: the step grows for all the others."""
    x = own(x)
    sigma = x.double().std(correction=0).item() or 1.0

    def draw(sheet, size, bits, symmetric):
        with_outlier = x.clone().flatten()
        with_outlier[0] = size * sigma
        quantizer = fit(with_outlier, bits, symmetric)
        span = with_outlier.abs().max().item() or 1.0
        return visualization.draw_range(sheet, with_outlier, quantizer, span, 64 * sigma)

    controls = bits_control(bits, (2, 3, 4, 6, 8)), check("symmetric", symmetric)
    size = Control("size", (1, 4, 8, 16, 32, 64), 1)
    return Explorer("outlier", Sheet(2), draw, size, *controls, compare=True)


def calibration(x: Tensor, bits: int = 4, symmetric: bool = True) -> Explorer:
    """The ways to choose a range, on the same data."""
    x = own(x)
    largest = x.abs().max().item() or 1.0

    def draw(sheet, method, bits, symmetric):
        quantizer = fit(x, bits, symmetric, method=method)
        return visualization.draw_range(sheet, x, quantizer, largest, largest)

    method = Control("method", tuple(METHODS), "minmax")
    controls = bits_control(bits, (2, 3, 4, 6, 8)), check("symmetric", symmetric)
    return Explorer("calibration", Sheet(2), draw, method, *controls, compare=True)


def clipping(bits: int = 4, clip: float = 3.0) -> Explorer:
    """A Gaussian cut at ±c: granular noise shrinks with c, overload noise grows."""
    places = Control("clip", (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0), clip)
    return Explorer("clipping", Sheet(2), figures.draw_clipping, places, bits_control(bits))


def grid(bits: int = 4, signed: bool = True, symmetric: bool = True) -> Explorer:
    """Codes, and what they are worth for data in [-1, 2] (in [0, 2] where none is negative)."""

    def draw(sheet, bits, signed, symmetric):
        lo = -1.0 if signed or not symmetric else 0.0
        scheme = QuantizationScheme.from_bits(bits, signed)
        params = QuantizationParams.from_tensor(torch.tensor([lo, 2.0]), scheme, symmetric)
        return figures.draw_grid(sheet, UniformQuantizer(params), lo, 2.0)

    controls = bits_control(bits), check("signed", signed), check("symmetric", symmetric)
    return Explorer("grid", Sheet(2, height=4.4, rows=2), draw, *controls)


def formats(format: str = "INT4") -> Explorer:
    """Where number formats put their levels, and for which source that pays."""
    four, eight = ("INT4", "FP4 E2M1", "NF4"), ("INT8", "FP8 E4M3", "FP8 E5M2")
    sources = {s: samples.distribution(s) for s in ("uniform", "normal", "laplace", "outliers")}

    def draw(sheet, format):
        return figures.draw_formats(sheet, format, four if format in four else eight, sources)

    control = Control("format", four + eight, format)
    return Explorer("formats", Sheet(2), draw, control, compare=True)


def fewer_levels(x: Tensor, bits: int, lo: float, hi: float, dither: bool) -> Tensor:
    """Put x on 2^b levels from lo to hi.

    With dither, uniform noise of one step is added first and taken away again afterwards
    (subtractive dither).
    """
    step = (hi - lo) / (2**bits - 1)
    unit = QuantizationParams(torch.tensor(1.0), torch.tensor(0), 0, 2**bits - 1)
    noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(0)) - 0.5
    noise = noise if dither else torch.zeros(())
    return lo + step * (UniformQuantizer(unit)((x - lo) / step + noise) - noise)


def photo(image: Tensor, bits: int = 8, dither: bool = False) -> Explorer:
    """A photograph, (H, W) or (H, W, 3) in [0, 1], on 2^b levels for each colour."""
    image = own(image, "image")
    if image.dim() not in (2, 3) or image.shape[2:] not in ((), (3,)):
        raise ValueError(f"image: expected (H, W) or (H, W, 3), found {tuple(image.shape)}")

    def draw(sheet, bits, dither):
        return figures.draw_photo(sheet, image, fewer_levels(image, bits, 0, 1, dither), 2**bits)

    controls = bits_control(bits, range(1, 9)), check("dither", dither)
    sheet = Sheet(3, height=2.5, sharpness=1, axes=False)
    return Explorer("photo", sheet, draw, *controls, compare=True)


def chord(bits: int = 8, dither: bool = False, rate: int = 16_000) -> Explorer:
    """A chord to hear, on 2^b levels."""
    x = samples.chord(rate=rate)

    def draw(sheet, bits, dither):
        x_hat = fewer_levels(x, bits, -1, 1, dither)
        return figures.draw_sound(sheet, x, x_hat, rate, 2**bits), wav(x_hat, rate)

    controls = bits_control(bits, (1, 2, 3, 4, 6, 8)), check("dither", dither)
    return Explorer("chord", Sheet(2), draw, *controls, original=wav(x, rate), compare=True)


def wav(x: Tensor, rate: int) -> bytes:
    """Samples in [-1, 1] as a WAV file of 16 bits."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((x.clamp(-1, 1) * 32767).round().to(torch.int16).numpy().tobytes())
    return buffer.getvalue()


def accuracy(
    evaluate: Callable[[int, bool, str], dict[str, float]], bits: int = 8, symmetric: bool = True
) -> Explorer:
    """What evaluate(bits, symmetric, granularity) measures of a network, for every setting.

    evaluate returns two numbers or more by their names; the first two are drawn over the bit
    width. All is measured in this call, once.
    """
    layout = Control("granularity", ("per tensor", "per channel"), "per tensor")
    controls = bits_control(bits), check("symmetric", symmetric), layout
    states = list(itertools.product(*(c.values for c in controls)))
    measured = {state: evaluate(*state) for state in progress(states, "accuracy")}

    def draw(sheet, **state):
        return figures.draw_accuracy(sheet, measured, *state.values())

    return Explorer("accuracy", Sheet(2), draw, *controls, compare=True)


def spectrum(bits: int = 4, dither: bool = False, symmetric: bool = True) -> Explorer:
    """A full-scale sine: without dither the error is made of harmonics."""
    n = torch.arange(8192, dtype=torch.float64)
    x = torch.sin(2 * torch.pi * 331 / 8192 * n)  # 331 is odd: no phase comes twice

    def draw(sheet, bits, dither, symmetric):
        step = fit(x, bits, symmetric).params.scale
        noise = step * (torch.rand(8192, generator=torch.Generator().manual_seed(0)) - 0.5)
        noise = noise if dither else 0 * noise
        return figures.draw_spectrum(sheet, x, fit(x, bits, symmetric)(x + noise) - noise)

    controls = bits_control(bits), check("dither", dither), check("symmetric", symmetric)
    return Explorer("spectrum", Sheet(2), draw, *controls)
