"""The figures of `explore`: what is drawn, in the states that were once wrong, and what is said."""

import itertools
import math

import numpy as np
import pytest
import torch

from quantcore import entropy, explore, samples, words
from quantcore.sheet import DPI
from quantcore.words import LANGUAGES, catalogue, describe, label, option, switch

X = samples.distribution("normal")
W = X[:1024].view(16, 64)
FIGURES = {
    "quantization": lambda: explore.quantization(X),
    "staircase": lambda: explore.staircase(),
    "rate": lambda: explore.rate(),
    "shapes": lambda: explore.shapes(),
    "workbench": lambda: explore.workbench(W),
    "granularity": lambda: explore.granularity(W),
    "outlier": lambda: explore.outlier(X),
    "calibration": lambda: explore.calibration(samples.distribution("outliers")),
    "accuracy": lambda: explore.accuracy(
        lambda bits, *rest: {"accuracy": 1 - 2.0**-bits, "SQNR": 6.0 * bits}
    ),
    "clipping": lambda: explore.clipping(),
    "grid": lambda: explore.grid(),
    "formats": lambda: explore.formats(),
    "photo": lambda: explore.photo(torch.rand(20, 30, 3)),
    "chord": lambda: explore.chord(),
    "spectrum": lambda: explore.spectrum(),
}


@pytest.fixture(autouse=True)
def english():
    yield
    words.set_language("en")


def ends_of(figure):
    """The figure's first state, those with one control at an end, and those with every one."""
    states = {
        figure.start,
        *itertools.product(*((c.values[0], c.values[-1]) for c in figure.controls)),
    }
    for i, c in enumerate(figure.controls):
        for value in (c.values[0], c.values[-1]):
            states.add((*figure.start[:i], value, *figure.start[i + 1 :]))
    return sorted(states, key=str)


def drawn(figure, panel, name):
    """Where a line or its points lie: x and y."""
    return figure.sheet.artists[panel][name].get_data()


def test_every_figure_is_tried_here():
    assert set(FIGURES) == set(explore.__all__) - {"set_language"}


@pytest.mark.parametrize("name", FIGURES)
def test_all_text_is_large_enough_apart_and_inside(name):
    """16 CSS pixels where the figure is 960 wide, in the first state and at every end."""
    figure = FIGURES[name]()
    canvas = figure.sheet.figure
    for state in ends_of(figure):
        figure.frame(*state)
        renderer, texts = canvas.canvas.get_renderer(), []
        for ax in canvas.axes:
            parts = ax.texts + [ax.title, ax._left_title, ax.xaxis.label, ax.yaxis.label]
            parts += ax.get_legend().get_texts() if ax.get_legend() else []
            for axis in (ax.xaxis, ax.yaxis):
                low, high = sorted(axis.get_view_interval())
                parts += [t.label1 for t in axis.get_major_ticks() if low <= t.get_loc() <= high]
            texts += [t for t in parts if t.get_text().strip() and t.get_visible()]
        assert min(t.get_fontsize() for t in texts) * DPI / 72 >= 15.9
        boxes = [t.get_window_extent(renderer) for t in texts]
        for i, (text, box) in enumerate(zip(texts, boxes, strict=True)):
            assert 0 <= box.x0 and box.x1 <= canvas.bbox.width, f"{state}: {text} is cut"
            assert 0 <= box.y0 and box.y1 <= canvas.bbox.height, f"{state}: {text} is cut"
            for other, b in zip(texts[:i], boxes[:i], strict=True):
                over = min(box.x1, b.x1) - max(box.x0, b.x0), min(box.y1, b.y1) - max(box.y0, b.y0)
                assert min(over) <= 1, f"{state}: {text} on {other}"


@pytest.mark.parametrize("name", [n for n in FIGURES if n != "photo"])
def test_a_legend_lies_above_its_panel(name):
    figure = FIGURES[name]()
    for ax in figure.sheet.axes:
        if ax.get_legend() is not None:
            box = ax.get_legend().get_window_extent()
            assert box.y0 >= ax.bbox.y1 - 1, ax.get_title("left")


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("bits", [2, 3, 8])
def test_the_staircase_is_the_quantizer_and_its_error_has_no_end(bits, symmetric):
    figure = explore.staircase(bits=bits, symmetric=symmetric)
    quantizer = explore.fit(torch.tensor([-1.0, 2.0], dtype=torch.float64), bits, symmetric)
    x, x_hat = drawn(figure, 0, "x̂")
    at = torch.linspace(x[0] + 1e-9, x[-1] - 1e-9, 4999, dtype=torch.float64)
    assert np.allclose(np.interp(at, x, x_hat), quantizer(at), atol=1e-6)
    x, error = drawn(figure, 1, "error")
    step = quantizer.params.scale.item()
    assert np.allclose(error[1:-1:2], 0.5) and np.allclose(error[2:-1:2], -0.5), "every tooth"
    assert error[-1] == pytest.approx((x[-1] - x_hat[-1]) / step), "not cut off"
    x, gradient = drawn(figure, 1, "gradient")
    assert np.array_equal(np.interp(at, x, gradient) > 0.5, quantizer.in_range(at))
    left, right = figure.sheet.axes[0].get_xlim()
    levels = drawn(figure, 0, "levels")[0]
    assert left < levels.min() and levels.max() < right


@pytest.mark.parametrize("dither", [False, True])
def test_one_bit_of_a_chord_is_seen_whole(dither):
    figure = explore.chord(bits=1, dither=dither)
    low, high = figure.sheet.axes[0].get_ylim()
    _, x_hat = drawn(figure, 0, "x̂")
    assert low < x_hat.min() < x_hat.max() < high


def test_formats_are_compared_for_each_source():
    figure = explore.formats()
    for name, best in {
        "INT4": "best of 4 bits for uniform",
        "NF4": "best of 4 bits for normal, laplace",
        "INT8": "best of 8 bits for uniform, normal, laplace",
        "FP8 E5M2": "best of 8 bits for none",
    }.items():
        assert figure.frame(name).line.endswith(best)
    line = figure.frame("NF4").line
    heights = [drawn(figure, 1, f"bar {k}")[1][1::3] for k in range(3)]
    assert f"uniform {heights[2][0]:.1f} dB" in line and heights[0][0] > heights[2][0]


@pytest.mark.parametrize("name, most", [("staircase", 4), ("outlier", 17), ("calibration", 10)])
def test_axes_are_drawn_again_only_where_a_level_lies_beyond_them(name, most):
    figure = FIGURES[name]()
    looks = [figure.frame(*s) and tuple(figure.sheet._look) for s in figure.states()]
    assert 1 <= sum(a != b for a, b in zip(looks[:-1], looks[1:], strict=True)) <= most


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("size", [1, 64])
def test_an_outlier_is_no_farther_out_than_it_is_and_its_error_is_seen(size, bits):
    figure = explore.outlier(X)
    figure.frame(size, bits, True)
    sheet, farthest = figure.sheet, max(size * X.double().std().item(), X.abs().max().item())
    edges = sheet.artists[0]["x"].get_data().edges
    assert np.abs(edges).max() == pytest.approx(farthest, rel=1e-4)
    x, error = (values.item() for values in drawn(figure, 1, "largest |x|"))
    low, high = sheet.axes[1].get_ylim()
    assert abs(x) == pytest.approx(farthest, rel=1e-4) and low < error < high
    for ax in sheet.axes:
        left, right = ax.get_xlim()
        assert right - left <= 3.4 * farthest, "the data fill the picture"
    for x, _ in (drawn(figure, 0, "range"), drawn(figure, 0, "levels")):
        assert sheet.axes[0].get_xlim()[0] < np.nanmin(x) and np.nanmax(x) < right


def test_a_range_that_reaches_beyond_the_data_is_seen():
    figure = explore.calibration(X, bits=2)
    left, _ = figure.sheet.axes[0].get_xlim()
    assert left < np.nanmin(drawn(figure, 0, "range")[0])


@pytest.mark.parametrize("signed, symmetric", [(True, True), (True, False), (False, True)])
def test_codes_are_numbered_by_integers_and_all_values_are_seen(signed, symmetric):
    figure = explore.grid()
    for bits in (2, 3, 8):
        figure.frame(bits, signed, symmetric)
        codes, worth = figure.sheet.axes
        assert all(t == int(t) for t in codes.get_xticks()) and len(codes.get_xticks()) <= 16
        values = drawn(figure, 1, "levels")[0]
        assert worth.get_xlim()[0] < np.nanmin(values) < np.nanmax(values) < worth.get_xlim()[1]


@pytest.mark.parametrize("bits", [2, 8])
def test_an_errors_colours_reach_as_far_as_it_does(bits):
    figure = explore.granularity(W, bits=bits)
    image = figure.sheet.artists[1]["e"]
    largest, (low, high) = np.abs(image.get_array()).max(), image.get_clim()
    assert 0.9 * high < largest <= high * (1 + 1e-5) and low == -high
    assert figure.sheet.artists[1]["vmax"].get_text().strip() == f"{high:.2g}"
    figure.frame("per group", bits, True)
    assert image.get_clim() == (low, high), "one scale for all granularities"


def test_a_rows_sqnr_is_measured_from_zero_and_a_row_of_zeros_has_no_error():
    w = W.clone()
    w[3] = 0
    figure = explore.granularity(w)
    bars = figure.sheet.artists[2]["row"].get_data()
    assert bars.baseline == 0 and bars.values[3] == 60
    assert all(t == int(t) for t in explore.granularity(W[:10]).sheet.axes[2].get_xticks())


@pytest.mark.parametrize("granularity", ["per channel", "per group"])
def test_lines_of_many_scales_stay_in_the_panel(granularity):
    figure = explore.workbench(W)
    for bits in (2, 4, 8):
        figure.frame(bits, True, granularity, "minmax")
        _, heights = drawn(figure, 0, "x̂")
        assert np.nanmax(heights) < figure.sheet.axes[0].get_ylim()[1]


def test_close_lines_leave_gaps_and_few_lines_are_thick():
    figure = explore.quantization(X, bits=8)
    x_hat, outline = (figure.sheet.artists[0][n] for n in ("x̂", "outline"))
    thin = x_hat.get_linewidth()
    assert thin < 0.5 and x_hat.get_zorder() < outline.get_zorder(), "x is seen"
    figure.frame(4, True)
    assert x_hat.get_linewidth() > 1 and x_hat.get_zorder() > outline.get_zorder(), "x̂ is seen"


def test_a_spike_of_zeros_does_not_flatten_the_rest_and_is_named():
    figure = explore.shapes(shape="relu")
    _, heights = drawn(figure, 0, "x̂")
    top = figure.sheet.axes[0].get_ylim()[1]
    assert top < 1 < figure.sheet.artists[0]["x"].get_data().values.max()
    assert figure.sheet.artists[0]["cut"].get_text() == " 8.6↑"
    figure.frame("normal", 4, True)
    assert figure.sheet.artists[0]["cut"].get_text() == ""


@pytest.mark.parametrize("shape", samples.SHAPES)
def test_the_mean_of_the_ideal_lengths_is_the_entropy(shape):
    figure = explore.rate(shape=shape)
    p, lengths = (drawn(figure, i, name)[1][1::3] for i, name in enumerate(("p", "-log2 p")))
    assert p.sum() == pytest.approx(1) and lengths == pytest.approx(-np.log2(p))
    x = samples.distribution(shape)
    mean = entropy(explore.fit(x, 4, True).quantize(x))
    assert (p * lengths).sum() == pytest.approx(mean)
    assert drawn(figure, 1, "mean H")[1][0] == pytest.approx(mean)
    assert figure.line.startswith(f"b = 4   H = {mean:.4g}   used = {len(p)}   SQNR = ")


@pytest.mark.parametrize("shape", samples.SHAPES)
def test_no_code_is_longer_or_more_frequent_than_the_panel_is_high(shape):
    figure = explore.rate(shape=shape)
    for bits in (2, 8):
        figure.frame(shape, bits, True)
        for i, name in enumerate(("p", "-log2 p")):
            assert np.nanmax(drawn(figure, i, name)[1]) < figure.sheet.axes[i].get_ylim()[1]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("name", ["quantization", "outlier", "calibration", "granularity", "photo"])
def test_figures_take_any_precision(name, dtype):
    x = torch.linspace(0, 1, 64).view(8, 8).to(dtype)
    assert "MSE = " in getattr(explore, name)(x).line


@pytest.mark.parametrize("values", [torch.zeros(9), torch.full((9,), 7.0), torch.tensor([-3.0])])
def test_figures_take_degenerate_tensors(values):
    for call in (explore.quantization, explore.outlier, explore.calibration):
        figure = call(values)
        for state in ends_of(figure):
            figure.frame(*state)
        limits = [end for ax in figure.sheet.axes for end in ax.get_xlim() + ax.get_ylim()]
        assert all(math.isfinite(end) for end in limits)
    assert "SQNR = inf dB (no error)" in explore.calibration(torch.zeros(9)).line


def test_a_photograph_without_colours_is_grey():
    figure = explore.photo(torch.linspace(0, 1, 12).view(3, 4))
    image = figure.sheet.artists[0]["x"]
    pixels = image.to_rgba(image.get_array())
    assert np.array_equal(pixels[..., 0], pixels[..., 2])


@pytest.mark.parametrize(
    "name, call",
    [
        ("x", explore.quantization),
        ("x", explore.outlier),
        ("x", explore.calibration),
        ("x", explore.workbench),
        ("w", explore.granularity),
        ("image", explore.photo),
    ],
)
def test_what_is_no_tensor_is_refused_by_its_name(name, call):
    for value in ([0.5, 1.0], np.ones((2, 2))):
        with pytest.raises(TypeError, match=f"^{name}: expected"):
            call(value)
    with pytest.raises(ValueError, match=r"image: expected \(H, W\)"):
        explore.photo(torch.rand(2, 3, 4))


def test_a_start_that_a_figure_does_not_offer_is_refused_with_those_that_it_does():
    with pytest.raises(ValueError, match=r"bits: 5 is not one of \[2, 3, 4, 6, 8\].*outlier"):
        explore.outlier(X, bits=5)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", FIGURES)
def test_a_description_says_what_is_seen_what_is_chosen_and_the_numbers(name, language):
    words.set_language(language)
    figure = FIGURES[name]()
    assert figure.name == name
    seen = catalogue(language)["figures"][words.ALIKE.get(name, name)]
    said = [describe(name, figure.named(s), figure.line) for s in figure.states()]
    assert len(set(said)) == len(said), "two states, two texts"
    for text, state in zip(said, figure.states(), strict=True):
        assert text.startswith(seen) and text.endswith("。" if language == "zh" else ".")
        assert all(number.strip() in text for number in figure.line.split("   "))
        for c, value in zip(figure.controls, state, strict=True):
            if c.kind == "checkbox":
                assert switch(c.name, value) in text
            else:
                assert f"{label(c.name)} = {option(value)}" in text
    for c in figure.controls:
        if c.kind == "select" and c.name != "format":
            assert all(value in catalogue(language)["options"] for value in c.values)
