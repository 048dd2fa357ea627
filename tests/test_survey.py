"""A survey of a model: what is counted, what is refused, and how it ends early."""

import math
import pickle

import pytest
import torch
from safetensors.torch import save_file

from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer, sqnr_db
from quantcore.survey import Layer, progress, report, survey, worst

INT4, INT8 = QuantizationScheme.INT4, QuantizationScheme.INT8


@pytest.fixture
def model():
    generator = torch.Generator().manual_seed(0)
    return {
        "conv.weight": torch.randn(8, 4, 3, 3, generator=generator),
        "conv.bias": torch.randn(8, generator=generator),
        "head.weight": torch.randn(10, 33, generator=generator).half(),
        "steps": torch.tensor(7),
    }


@pytest.fixture
def path(model, tmp_path):
    save_file(model, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize("kind", [str, lambda path: path], ids=["str", "Path"])
def test_a_file_and_a_state_dict_say_the_same(model, path, kind):
    ours = sorted(survey(model, INT4, axis=0))
    assert sorted(survey(kind(path), INT4, axis=0)) == ours


def test_each_number_is_that_of_the_quantizer(model):
    layers = {layer.name: layer for layer in survey(model, INT4, axis=0)}
    for name in ("conv.weight", "head.weight"):
        x = model[name]
        quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, INT4, axis=0))
        assert layers[name].sqnr_db == sqnr_db(x, quantizer(x))
        assert layers[name].shape == tuple(x.shape)
    # 288 codes of 4 bits and 8 scales of 32; 330 and 10.
    assert layers["conv.weight"][3:] == (pytest.approx(4 + 32 / 36), 288 * 4, 144 + 32)
    assert layers["head.weight"][3:] == (pytest.approx(4 + 32 / 33), 330 * 2, 165 + 40)


def test_what_is_kept_is_counted_with_its_own_bytes(model):
    layers = {layer.name: layer for layer in survey(model, INT4)}
    assert layers["conv.bias"] == Layer("conv.bias", (8,), math.inf, 32, 32, 32)
    assert layers["steps"] == Layer("steps", (), math.inf, 64, 8, 8)


def test_zero_points_are_counted_and_a_byte_is_whole():
    x = torch.rand(1, 3, generator=torch.Generator().manual_seed(0)) + 1
    (layer,) = survey({"w": x}, INT4, symmetric=False)
    assert layer.bits == (3 * 4 + 32 + 4) / 3
    assert layer.after == 6
    (odd,) = survey({"w": x}, INT4)
    assert odd.after == math.ceil((3 * 4 + 32) / 8) == 6


def test_groups_lie_along_the_rows_of_a_convolution(model):
    layer = next(survey(model, INT4, group_size=12))
    rows = model["conv.weight"].flatten(1)
    quantizer = UniformQuantizer(QuantizationParams.from_tensor(rows, INT4, group_size=12))
    assert layer.sqnr_db == sqnr_db(rows, quantizer(rows))
    assert layer.bits == pytest.approx(4 + 32 / 12)


def test_options_reach_the_calibration(model):
    plain, best = (next(survey(model, INT4, method=m)).sqnr_db for m in ("minmax", "mse"))
    assert best > plain


def test_tensors_are_loaded_one_at_a_time(path, monkeypatch):
    loaded = []
    from quantcore import survey as module

    real = module._in_file

    def counting(at):
        loads, floats = real(at)
        return {n: (lambda n=n, f=f: (loaded.append(n), f())[1]) for n, f in loads.items()}, floats

    monkeypatch.setattr(module, "_in_file", counting)
    layers = survey(path, INT8)
    assert loaded == []
    first = next(layers)
    assert loaded == [first.name]


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        ("nowhere.safetensors", FileNotFoundError, "source: there is no file /.*nowhere.safetensors; use"),
        (torch.nn.Linear(2, 2), TypeError, "found Linear; for a model use model.state_dict()"),
        (None, TypeError, "found NoneType"),
        ({}, ValueError, "source: found no float tensor among 0 tensors"),
        ({"codes": torch.zeros(4, 4, dtype=torch.int8)}, ValueError, "no float tensor among 1"),
        ({"note": "no tensor"}, ValueError, "no float tensor among 0"),
    ],
)
def test_what_is_no_model_is_refused_at_once(source, error, words):
    with pytest.raises(error, match=words.replace("(", r"\(").replace(")", r"\)")):
        survey(source, INT8)


class Bomb:
    """Says so when it is unpickled."""

    def __reduce__(self):
        return pytest.fail, ("it was unpickled",)


@pytest.mark.parametrize("content", [b"", b"not a model", pickle.dumps(Bomb())])
def test_what_is_no_safetensors_file_is_refused_and_never_unpickled(tmp_path, content):
    file = tmp_path / "model.bin"
    file.write_bytes(content)
    with pytest.raises(ValueError, match="is no safetensors file"):
        survey(file, INT8)


def test_a_folder_is_refused_with_the_files_in_it(path):
    with pytest.raises(ValueError, match=r"is a folder; use one of its files \['model"):
        survey(path.parent, INT8)


def test_a_file_of_integers_is_refused(tmp_path):
    save_file({"q": torch.zeros(3, 3, dtype=torch.int8)}, tmp_path / "q.safetensors")
    with pytest.raises(ValueError, match="no float tensor among 1 tensors"):
        survey(tmp_path / "q.safetensors", INT8)


@pytest.mark.parametrize(
    ("tensor", "options", "error", "words"),
    [
        (torch.tensor([[1.0, math.nan]]), {}, ValueError, "bad: x: found"),
        (torch.ones(2, 2), {"axis": 5}, ValueError, "bad: axis: 5 is out of range"),
        (torch.ones(2, 2), {"group_size": "4"}, TypeError, "bad: group_size: expected an int"),
    ],
)
def test_a_tensor_that_cannot_be_quantized_is_named(tensor, options, error, words):
    with pytest.raises(error, match=words):
        list(survey({"bad": tensor}, INT8, **options))


def test_an_empty_tensor_is_kept():
    layers = list(survey({"w": torch.ones(2, 2), "none": torch.zeros(0, 4)}, INT8))
    assert layers[1] == Layer("none", (0, 4), math.inf, 32, 0, 0)


def test_the_report_sums_up_and_names_the_worst(model, capsys):
    layers = report(survey(model, INT4))
    out = capsys.readouterr().out
    assert layers == list(survey(model, INT4))
    before, after = (sum(sizes) for sizes in zip(*(layer[4:] for layer in layers), strict=True))
    assert f"{before:,} bytes become {after:,}, {before / after:.2f} times less" in out
    least = min(layers, key=lambda layer: layer.sqnr_db)
    assert worst(layers) == least
    assert out.splitlines()[-1] == f"worst layer: {least.name}, {least.sqnr_db:.1f} dB"
    assert "kept" in out


def test_an_interruption_sums_up_what_came_before(model, capsys):
    def interrupted():
        yield next(survey(model, INT4))
        raise KeyboardInterrupt

    assert len(report(interrupted())) == 1
    out = capsys.readouterr().out
    assert "interrupted after 1 tensors" in out
    assert "worst layer: conv.weight" in out


def test_nothing_quantized_has_no_worst_layer(capsys):
    assert report(iter(())) == []
    assert "0 bytes become 0" in capsys.readouterr().out
    assert worst(survey({"b": torch.ones(3)}, INT8)) is None


def test_a_bar_can_be_left_out(monkeypatch, capsys):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    assert list(progress(range(3), "three")) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("TQDM_DISABLE", "0")
    assert list(progress(range(3), "three")) == [0, 1, 2]
    assert "three" in capsys.readouterr().err
