"""Every interactive figure, computed and drawn without a browser."""

import asyncio
import io
import json
import re
import wave
from concurrent.futures import ThreadPoolExecutor

import ipywidgets as widgets
import numpy as np
import pytest
import torch

from quantcore import explore, samples
from quantcore.explore.explorer import Control, Explorer
from quantcore.explore.static import BUDGET, static_html
from quantcore.information import error_report
from quantcore.page import WIDGET
from quantcore.sheet import Sheet
from quantcore.words import label, option


def weights():
    return samples.digits_network()[5].weight[:, :64].contiguous()


def measured(bits, symmetric, granularity):
    """What a network might reach."""
    lost = 2.0**-bits * (2 - symmetric) * (1 + (granularity == "per tensor"))
    return {"accuracy": 1 - lost, "SQNR": 6 * bits - 10 * lost, "bytes": 1000 * bits}


EXPLORERS = {
    "calibration": lambda: explore.calibration(samples.distribution("outliers")),
    "chord": explore.chord,
    "accuracy": lambda: explore.accuracy(measured),
    "clipping": explore.clipping,
    "formats": explore.formats,
    "granularity": lambda: explore.granularity(weights()),
    "grid": explore.grid,
    "outlier": lambda: explore.outlier(samples.distribution("normal")),
    "photo": lambda: explore.photo(samples.photograph()),
    "quantization": lambda: explore.quantization(samples.distribution("laplace")),
    "rate": explore.rate,
    "shapes": explore.shapes,
    "spectrum": explore.spectrum,
    "staircase": explore.staircase,
    "workbench": lambda: explore.workbench(weights()),
}


@pytest.fixture(autouse=True)
def english():
    explore.set_language("en")


@pytest.fixture(scope="module", params=EXPLORERS)
def explorer(request):
    return EXPLORERS[request.param]()


def small(draw=None):
    """An explorer that draws a line whose slope is its slider's value."""

    def line(sheet, bits, symmetric):
        sheet.frame(0, "a line", "x", "y", (0, 1), (0, 9))
        sheet.line(0, "y", [0, 1], [0, bits])
        return f"slope = {bits}"

    controls = Control("bits", (1, 2, 3, 4), 2), Control("symmetric", (False, True), False)
    return Explorer("line", Sheet(1, width=3, height=2), draw or line, *controls)


def inputs_of(view):
    return [control for control in view.children[0].children if hasattr(control, "value")]


def shown_by(view):
    """The widgets of the current picture and of its line."""
    at = next(i for i, part in enumerate(view.children) if isinstance(part, widgets.Image))
    return view.children[at : at + 2]


def test_every_explorer_is_tested():
    assert sorted(EXPLORERS) == sorted(set(explore.__all__) - {"set_language"})


def test_each_control_goes_to_its_ends_without_an_error(explorer):
    view = explorer.widget()
    image, line = shown_by(view)
    for control, widget in zip(explorer.controls, inputs_of(view), strict=True):
        for value in (control.values[0], control.values[-1], control.start):
            widget.value = value
            state = tuple(w.value for w in inputs_of(view))
            assert image.value == explorer.live_frame(*state).jpeg
            assert explorer.frame(*state).line in line.value.replace("&#x27;", "'")
    assert explorer.errors == []


def test_a_frame_does_not_depend_on_what_was_drawn_before(explorer):
    ends = [tuple(c.values[k] for c in explorer.controls) for k in (0, -1)]
    for state in ends:
        explorer.frame(*state)
    again = EXPLORERS[explorer.name]()
    for state in reversed(ends):
        fresh, old = again.frame(*state), explorer.frame(*state)
        assert fresh.line == old.line
        assert np.array_equal(np.asarray(fresh.picture), np.asarray(old.picture))


def test_each_control_changes_the_picture(explorer):
    for i, control in enumerate(explorer.controls):
        state = list(explorer.start)
        pictures = set()
        for value in (control.values[0], control.values[-1]):
            state[i] = value
            pictures.add(explorer.frame(*state).picture.tobytes())
        assert len(pictures) == 2, f"{control.name} changes nothing"


def test_figures_of_one_page_share_a_style_that_says_nothing_of_one_of_them():
    """The last style of a page is that of all its figures."""
    control = Control("bits", (1, 2), 1)

    def style(sheet):
        page = static_html(Explorer("rate", sheet, lambda sheet, bits: "", control))
        return re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]

    assert style(Sheet(1, width=4, height=2)) == style(Sheet(2, width=6, height=4))


def test_the_static_page_holds_every_state_within_its_budget(explorer):
    page = static_html(explorer)
    frames = json.loads(re.search(r'<script type="application/json">(.*?)</script>', page)[1])
    states = explorer.states()
    assert len(frames) == len(states) <= 64
    assert len(page) <= BUDGET
    for frame, state in zip(frames, states, strict=True):
        assert frame["src"].startswith("data:image/webp;base64,")
        assert frame["line"] == explorer.frame(*state).line
        words = explorer.named(state).items()
        assert all(option(v) in frame["alt"] for _, v in words if not isinstance(v, bool))
    assert len({frame["alt"] for frame in frames}) == len(frames)
    assert not re.search(r"https?:|//[a-z]", re.sub(r"base64,[A-Za-z0-9+/=]*", "", page))
    assert "\n\n" not in page, "a blank line would end the HTML block in Markdown"


def test_the_kind_of_a_control_follows_from_its_values():
    assert Control("bits", (2, 3), 2).kind == "range"
    assert Control("symmetric", (False, True), True).kind == "checkbox"
    assert Control("method", ("mse", "minmax"), "mse").kind == "select"


def test_a_start_outside_the_values_is_refused():
    with pytest.raises(ValueError, match="bits: 9 is not one of"):
        explore.quantization(torch.ones(3), bits=9)


def test_too_many_states_for_a_static_page_are_refused():
    controls = [Control("bits", tuple(range(9)), 0), Control("clip", tuple(range(9)), 0)]
    with pytest.raises(ValueError, match="81 states, at most 64"):
        Explorer("many", Sheet(1), None, *controls)


def test_an_error_shows_in_place_and_goes_away_again():
    def draw(sheet, bits, symmetric):
        sheet.frame(0, "may fail", xlim=(0, 1), ylim=(0, 1))
        if bits == 4:
            raise ValueError("bits: <4> is refused here")
        return f"{bits} bits"

    explorer = small(draw)
    view = explorer.widget()
    image, line = shown_by(view)
    inputs_of(view)[0].value = 4
    assert 'role="alert"' in line.value
    assert "ValueError: bits: &lt;4&gt; is refused here" in line.value
    assert image.layout.visibility == "hidden"
    assert [str(e) for e in explorer.errors] == ["bits: <4> is refused here"]
    inputs_of(view)[0].value = 3
    assert image.layout.visibility == "visible"
    assert "3 bits" in line.value


def test_a_frame_is_drawn_once():
    calls = []

    def draw(sheet, bits, symmetric):
        calls.append(bits)
        return ""

    explorer = small(draw)
    view = explorer.widget()
    for value in (3, 2, 3, 2):
        inputs_of(view)[0].value = value
    assert calls == [2, 3]


def test_neighbours_are_one_step_away():
    assert sorted(small().neighbours(1, False)) == [(1, True), (2, False)]
    assert sorted(small().neighbours(2, True)) == [(1, True), (2, False), (3, True)]


def test_neighbours_are_drawn_while_the_kernel_is_idle():
    explorer = small()

    async def live():
        view = explorer.widget()
        assert set(explorer.kept) == {(2, False)}, "nothing is drawn ahead before a first move"
        inputs_of(view)[0].value = 3
        await explorer.ahead.task

    asyncio.run(live())
    assert set(explorer.kept) == {(2, False), (3, False), (4, False), (3, True)}


def test_a_new_request_ends_the_drawing_ahead():
    explorer = small()

    async def live():
        view = explorer.widget()
        inputs_of(view)[0].value = 3
        first = explorer.ahead.task
        inputs_of(view)[0].value = 4
        with pytest.raises(asyncio.CancelledError):
            await first
        await explorer.ahead.task

    asyncio.run(live())
    assert (4, True) in explorer.kept and (3, True) not in explorer.kept


def test_threads_do_not_draw_into_each_others_pictures():
    """JupyterLab handles some moves in a thread of their own, beside the one that draws ahead."""
    alone, shared = EXPLORERS["quantization"](), EXPLORERS["quantization"]()
    states = 3 * alone.states()
    expected = [alone.frame(*state).picture for state in states]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda state: shared.frame(*state).picture, states))
    assert found == expected


def test_a_live_figure_is_a_still_picture_and_a_widget_beside_it():
    (still, about), (live, _) = explore.staircase().bundles()
    assert set(still) == {"image/png", "text/plain"}, "nothing that hides the picture when saved"
    assert still["image/png"].startswith(b"\x89PNG")
    assert "s = " in still["text/plain"] and about["image/png"]["alt"] == still["text/plain"]
    assert about["controls"] == ["bits", "symmetric"]
    assert set(live) == {WIDGET, "text/plain"}
    assert live["text/plain"] == label("unrun")


def test_static_bundle_is_plain_html(monkeypatch):
    monkeypatch.setenv("QUANTCORE_STATIC", "1")
    ((data, _),) = explore.staircase().bundles()
    assert set(data) == {"text/html", "text/plain"}
    assert data["text/html"].startswith("<figure")


def test_labels_speak_the_chosen_language():
    explore.set_language("zh")
    assert label("symmetric") == "对称"
    assert "对称" in static_html(small())
    explore.set_language("en")
    assert inputs_of(small().widget())[1].description == "symmetric"
    with pytest.raises(ValueError, match="language: expected 'en' or 'zh', found 'fr'"):
        explore.set_language("fr")


def test_numbers_are_those_of_the_whole_tensor_and_points_are_few():
    x = samples.distribution("normal", 300_000)
    explorer = explore.quantization(x, bits=4)
    report = error_report(x, explore.fit(x, 4, True))
    assert f"MSE = {report.mse:.4g}" in explorer.frame(4, True).line
    points = explorer.sheet.artists[2]["values"].get_xdata()
    assert len(points) < 2100


def test_the_chord_can_be_heard():
    with wave.open(io.BytesIO(explore.chord().frame(8, False).sound)) as sound:
        assert (sound.getnchannels(), sound.getframerate()) == (1, 16_000)
        pcm = np.frombuffer(sound.readframes(sound.getnframes()), np.int16) / 32767
    assert np.abs(pcm - samples.chord().numpy()).max() < 1 / 255 + 1e-3


def test_subtractive_dither_makes_the_error_independent_of_the_signal():
    x = torch.full((100_000,), 0.3)
    plain = explore.fewer_levels(x, 2, 0, 1, dither=False) - x
    dithered = explore.fewer_levels(x, 2, 0, 1, dither=True) - x
    assert plain.unique().numel() == 1
    assert abs(dithered.mean()) < 0.002
    assert dithered.var() == pytest.approx((1 / 3) ** 2 / 12, rel=0.02)


def test_a_network_is_measured_once_for_each_setting_and_never_again():
    asked = []

    def evaluate(*state):
        asked.append(state)
        return measured(*state)

    figure = explore.accuracy(evaluate, bits=3, symmetric=False)
    assert asked == figure.states() and len(asked) == 28
    frame = figure.frame(4, True, "per channel")
    assert len(asked) == 28
    assert frame.line == "accuracy = 0.9375   SQNR = 23.38 dB   bytes = 4000"
    x, y = figure.sheet.artists[0]["asymmetric"].get_data()
    assert list(x) == [2, 3, 4, 5, 6, 7, 8]
    assert list(y) == [measured(b, False, "per channel")["accuracy"] for b in x]
    (x,), (y,) = figure.sheet.artists[1]["here"].get_data()
    assert (x, y) == (4, measured(4, True, "per channel")["SQNR"])
