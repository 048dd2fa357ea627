"""The figures: what they compute, what they draw, what they say."""

import math

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from quantcore import (
    QuantizationParams,
    QuantizationScheme,
    UniformQuantizer,
    samples,
    sqnr_db,
    visualize_quantization,
)
from quantcore.sheet import Sheet
from quantcore.visualization import SAMPLE, density, few, numbers, sample, smeared, spikes


def test_visualize_quantization_draws_the_three_panels():
    x = samples.distribution("normal")
    figure = visualize_quantization(x, QuantizationScheme.INT4, symmetric=False)
    assert isinstance(figure, Figure)
    titles = [ax.get_title("left") for ax in figure.axes]
    assert titles == ["distribution", "error", "original against quantized"]
    params = QuantizationParams.from_tensor(x, QuantizationScheme.INT4, False)
    expected = sqnr_db(x, UniformQuantizer(params)(x))
    assert figure.alt.startswith("INT4, asymmetric. Three panels")
    assert f"SQNR = {expected:.2f} dB" in figure.alt


def test_a_figure_shows_itself_as_a_sharp_picture_with_alt_text():
    data, metadata = visualize_quantization(torch.linspace(-1, 1, 50))._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert metadata["image/png"] == {"width": 960, "height": 340, "alt": data["text/plain"]}


@pytest.mark.parametrize("x", [torch.zeros(5), torch.full((5,), 3.0), torch.tensor([-1.0])])
def test_degenerate_tensors_can_be_looked_at(x):
    assert "clipped = 0.00%" in visualize_quantization(x).alt


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_tensors_of_any_precision_can_be_looked_at(dtype):
    x = torch.linspace(-1, 1, 64).to(dtype).view(8, 8)
    assert "SQNR" in visualize_quantization(x).alt


@pytest.mark.parametrize("values", [[1e-45, -1e-44], [3.4e38, -3.4e38], [3.4e38, 0], [1e-45]])
def test_the_ends_of_float32_can_be_looked_at(values):
    figure = visualize_quantization(torch.tensor(values))
    figure.canvas.draw()
    assert all(math.isfinite(end) for ax in figure.axes for end in ax.get_xlim() + ax.get_ylim())


def test_few_values_are_drawn_once_each():
    x = torch.tensor([1.0, 2.0, 3.0])
    assert few(few(x)).tolist() == x.tolist()
    many = samples.distribution("normal", 50_001)
    drawn = few(many)
    assert len(drawn) <= SAMPLE and torch.equal(few(drawn), drawn)
    assert (drawn.min(), drawn.max()) == (many.min(), many.max())


def test_bad_input_is_refused_as_by_from_tensor():
    with pytest.raises(ValueError, match="x: found 1 NaN"):
        visualize_quantization(torch.tensor([1.0, math.nan]))
    with pytest.raises(TypeError, match="x: expected a float16"):
        visualize_quantization(torch.arange(4))


@pytest.mark.parametrize("options", [{}, {"axis": 0}, {"group_size": 7}])
def test_a_sample_is_bounded_and_belongs_together(options):
    w = samples.distribution("normal", 30_000).view(30, 1000)
    params = QuantizationParams.from_tensor(w, QuantizationScheme.INT4, **options)
    x, x_hat, step = sample(w, UniformQuantizer(params))
    assert len(x) == len(x_hat) == len(step) <= SAMPLE + 2
    assert ((x - x_hat).abs() <= step / 2 * (1 + 1e-5)).all()


def test_a_sample_with_one_scale_holds_the_extremes():
    x = samples.distribution("outliers", 50_000, seed=3)
    params = QuantizationParams.from_tensor(x, QuantizationScheme.INT8)
    u, _, _ = sample(x, UniformQuantizer(params))
    assert (u.min(), u.max()) == (x.min(), x.max())


def test_density_has_area_one():
    heights, edges = density(samples.distribution("laplace"), -3, 3, 40)
    assert (heights * edges.diff()).sum() == pytest.approx(1)


def test_spikes_are_lines_from_zero_with_gaps():
    x, y = spikes(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
    assert np.array_equal(x, [1, 1, np.nan, 2, 2, np.nan], equal_nan=True)
    assert np.array_equal(y, [0, 3, np.nan, 0, 4, np.nan], equal_nan=True)


def test_numbers_make_one_line():
    line = numbers(MSE=0.000123456, SQNR=40.1234, clipped=0.015)
    assert line == "MSE = 0.0001235   SQNR = 40.12 dB   clipped = 1.50%"
    line = numbers(PSNR=27.7, **{"highest line": -35.4}, SQNR=math.inf)
    assert line == "PSNR = 27.70 dB   highest line = -35.40 dB   SQNR = inf dB (no error)"


def test_a_smeared_density_has_area_one_and_spreads_each_value_over_its_step():
    x_hat, scale = torch.tensor([0.0, 0.0, 1.0, 3.0]), torch.tensor([1.0, 0.5, 0.5, 2.0])
    at = torch.linspace(-2, 6, 8001) + 0.0003
    heights = smeared(x_hat, scale, at)
    assert heights.sum() * 0.001 == pytest.approx(1, abs=1e-3)
    expected = sum(((at - v).abs() < s / 2) / s / 4 for v, s in zip(x_hat, scale, strict=True))
    assert torch.allclose(heights, expected, atol=1e-6)


def test_a_sheet_moves_its_artists_and_keeps_its_background(monkeypatch):
    sheet, drawn = Sheet(1), []
    full = sheet.canvas.draw
    monkeypatch.setattr(sheet.canvas, "draw", lambda: (drawn.append(1), full()))

    def draw(slope, right=1):
        sheet.frame(0, "line", "x", "y", (0, right), (0, 2))
        sheet.line(0, "y", [0, 1], [0, slope])
        return sheet.render()

    first = draw(1)
    artist = sheet.artists[0]["y"]
    second = draw(2)
    assert sheet.artists[0]["y"] is artist
    assert len(drawn) == 1, "equal axes are drawn once"
    assert not np.array_equal(np.asarray(first), np.asarray(second))
    assert np.array_equal(np.asarray(draw(1)), np.asarray(first)), "nothing is left behind"
    draw(1, right=5)
    assert len(drawn) == 2, "other axes are drawn again"


@pytest.mark.parametrize("columns", [{}, {"ncols": 1}])
def test_a_legend_makes_its_own_room_and_names_what_has_a_name(columns):
    sheet = Sheet(2)
    sheet.frame(0, "panel")
    bottom, top = (sheet.axes[1].get_position().get_points()[:, 1]).tolist()
    sheet.line(0, "seen", [0, 1], [0, 1])
    sheet.line(0, "unseen", [0, 1], [1, 0], label="")
    sheet.line(0, "seen too", [0, 1], [1, 1])
    sheet.legend(0, **columns)
    named = [t.get_text() for t in sheet.axes[0].get_legend().get_texts()]
    assert named == ["seen", "seen too"]
    assert sheet.axes[1].get_position().y1 < top and sheet.axes[1].get_position().y0 == bottom
    sheet.render()
    title, legend = sheet.axes[0]._left_title, sheet.axes[0].get_legend()
    assert title.get_window_extent().y0 >= legend.get_window_extent().y1


def test_a_matrix_has_a_scale_and_ticks_and_a_photograph_has_neither():
    matrix, photograph = Sheet(1), Sheet(1, axes=False)
    for sheet in (matrix, photograph):
        sheet.image(0, "w", torch.rand(4, 6), vmin=-2, vmax=2, cmap="gray")
        sheet.render()
    assert [matrix.artists[0][end].get_text() for end in ("vmin", "vmax")] == [" -2 ", " 2 "]
    ticks = matrix.axes[0].get_xticks()
    assert len(ticks) > 2 and all(t == int(t) for t in ticks)
    assert len(photograph.axes[0].get_xticks()) == 0 and set(photograph.artists[0]) == {"w"}
