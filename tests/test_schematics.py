"""The schematics: what they say is what the package computes, and all of it can be read."""

import pytest
import torch
from matplotlib.text import Text

from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer, schematics, words
from quantcore.sheet import DPI, TEXT


@pytest.fixture(autouse=True)
def english():
    words.set_language("en")


DRAWN = ["number_line", "integer_layer", "fake_quantization", "granularities"]


def texts(figure):
    """Every text that is not empty and can be seen."""
    return [t for t in figure.findobj(Text) if t.get_text() and t.get_visible()]


@pytest.mark.parametrize("name", DRAWN)
def test_a_schematic_shows_itself_and_says_what_is_seen(name):
    figure = getattr(schematics, name)()
    data, metadata = figure._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert metadata["image/png"]["width"] == 960
    assert len(figure.alt) > 60 and metadata["image/png"]["alt"] == figure.alt


@pytest.mark.parametrize("name", DRAWN)
def test_its_words_are_large_and_stay_on_the_paper_and_apart(name):
    figure = getattr(schematics, name)()
    figure.canvas.draw()
    paper = figure.bbox
    boxes = []
    for text in texts(figure):
        axis = text.axes.get_xticklabels() + text.axes.get_yticklabels() if text.axes else [text]
        if text in axis:
            continue  # switched off with the axes
        assert text.get_fontsize() / 72 * DPI >= TEXT / 72 * 100 - 1e-9, text.get_text()
        box = text.get_window_extent()
        assert paper.x0 <= box.x0 and box.x1 <= paper.x1, text.get_text()
        assert paper.y0 <= box.y0 and box.y1 <= paper.y1, text.get_text()
        assert not any(box.overlaps(other) for other in boxes), text.get_text()
        boxes.append(box)
    assert len(boxes) >= 6


@pytest.mark.parametrize(
    ("lo", "hi", "bits", "x"), [(-1, 2, 3, 0.7), (0, 3, 4, 9.0), (2, 3, 2, -1)]
)
def test_the_number_line_is_the_quantizer(lo, hi, bits, x):
    scheme = QuantizationScheme.from_bits(bits)
    params = QuantizationParams.from_tensor(torch.tensor([lo, hi]).float(), scheme, symmetric=False)
    quantizer, value = UniformQuantizer(params), torch.tensor(float(x))
    figure = schematics.number_line(lo, hi, bits, x)
    alt, seen = figure.alt, [t.get_text() for t in texts(figure)]
    assert {str(q) for q in range(scheme.qmin, scheme.qmax + 1)} <= set(seen)
    assert f"$z$ = {params.zero_point.item()}" in " ".join(seen)
    assert f"{quantizer.quantize(value).item()}, which means {quantizer(value).item():.3f}" in alt


@pytest.mark.parametrize("bits", [1, 5, 8])
def test_a_number_line_of_codes_that_cannot_be_read_is_refused(bits):
    with pytest.raises(ValueError, match="bits: found"):
        schematics.number_line(bits=bits)


def test_the_mask_is_the_quantizers_gradient():
    forward, backward = (ax.lines for ax in schematics.fake_quantization().axes[0].child_axes)
    x, passed = backward[-1].get_data()
    assert set(passed) == {0.0, 1.0}
    assert ((-4 <= x.round()) & (x.round() <= 3) == (passed == 1)).all()  # ties to even
    assert set(forward[-1].get_ydata()) == set(range(-4, 4))


@pytest.mark.parametrize(("group", "scales"), [(4, [1, 4, 8]), (2, [1, 4, 16]), (8, [1, 4, 4])])
def test_granularities_count_their_scales(group, scales):
    figure = schematics.granularities(group=group)
    assert [len(ax.patches) for ax in figure.axes] == scales
    for ax, count in zip(figure.axes, scales, strict=True):
        assert f"{count} scale{'s' * (count > 1)}" in [t.get_text() for t in ax.texts]
        labels = [t.get_text() for t in ax.texts][:-1]
        assert len(set(labels)) == count


def test_a_group_that_does_not_divide_a_row_is_refused():
    with pytest.raises(ValueError, match="group: found 3"):
        schematics.granularities(group=3)
