"""Large tensors are taken piece by piece: no operation writes a second one of their size."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer, sqnr_db
from quantcore.information import error_report
from quantcore.pieces import PIECE

N = 4 * PIECE


class Largest(TorchDispatchMode):
    """The most values of a float tensor that an operation made, views of `known` aside."""

    def __init__(self, *known):
        super().__init__()
        self.known, self.numel = {t.untyped_storage().data_ptr() for t in known}, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for t in tree_leaves(result):
            own = isinstance(t, torch.Tensor) and t.is_floating_point()
            if own and t.untyped_storage().data_ptr() not in self.known:
                self.numel = max(self.numel, t.untyped_storage().nbytes() // t.element_size())
        return result


@pytest.fixture(scope="module")
def x():
    return torch.randn(N, generator=torch.Generator().manual_seed(0))


def quantizer(x, **layout):
    return UniformQuantizer(QuantizationParams.from_tensor(x, QuantizationScheme.INT8, **layout))


@pytest.mark.parametrize("axis", [None, 0])
def test_quantizing_makes_the_codes_and_no_second_float_tensor(x, axis):
    rows = x.view(1024, -1)
    q = quantizer(rows, axis=axis)
    with Largest(rows) as largest:
        codes = q.quantize(rows)
    assert 0 < largest.numel <= PIECE
    assert codes.dtype == torch.int8 and codes.shape == rows.shape


def test_faking_into_a_buffer_and_its_error_make_no_second_tensor(x):
    q, buffer = quantizer(x), torch.empty_like(x)
    with Largest(x, buffer) as largest:
        q.forward(x, out=buffer)
    assert 0 < largest.numel <= PIECE
    with Largest(x) as largest:
        error_report(x, q)
    assert 0 < largest.numel <= 2 * PIECE


def test_sqnr_is_summed_piece_by_piece(x):
    x_hat = 0.9 * x
    with Largest(x, x_hat) as largest:
        found = sqnr_db(x, x_hat)
    assert 0 < largest.numel <= PIECE
    assert found == pytest.approx(20, abs=1e-3)


def test_pieces_are_found_by_the_same_code_in_every_one(x):
    q = quantizer(x)
    codes = q.quantize(x)
    for part, of in zip(codes.split(PIECE // 2), x.split(PIECE // 2), strict=True):
        assert torch.equal(part, q.quantize(of))


@pytest.mark.parametrize("at", [0, PIECE, N - 1])
def test_a_nan_in_any_piece_is_found(x, at):
    broken = x.clone()
    broken[at] = torch.nan
    with pytest.raises(ValueError, match=f"found 1 NaN of {N} values"):
        quantizer(x).quantize(broken)
