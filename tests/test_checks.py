"""What every function refuses, and that it says which argument, what was found, what to do."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from quantcore import (
    QuantizationParams,
    QuantizationScheme,
    UniformQuantizer,
    entropy,
    fixed_point_multiplier,
    gaussian_distortion,
    integer_matmul,
    lloyd_max,
    noise_power,
    optimal_uniform,
    pack_int4,
    sqnr_db,
    unpack_int4,
    visualize_quantization,
)
from quantcore.checks import overlap, require_matrix, require_out, scale_shape
from quantcore.information import error_report, spectrum

INT8 = QuantizationScheme.INT8
ONE, ZERO = torch.tensor(1.0), torch.tensor(0)
UNIT = QuantizationParams(ONE, ZERO, -128, 127)
QUANTIZER = UniformQuantizer(UNIT)
X, Q = torch.ones(2, 2), torch.ones(2, 2, dtype=torch.int8)

# Each function that takes values, and each that takes codes, with the argument's name.
OF_FLOATS = [
    ("x", lambda x: QuantizationParams.from_tensor(x, INT8)),
    ("scale", lambda x: QuantizationParams(x, ZERO, 0, 9)),
    ("x", QUANTIZER.quantize),
    ("x", QUANTIZER.forward),
    ("x", QUANTIZER.in_range),
    ("x", lambda x: sqnr_db(x, X)),
    ("x_hat", lambda x: sqnr_db(X, x)),
    ("x", lambda x: error_report(x, QUANTIZER)),
    ("x", lambda x: spectrum(x, 10)),
    ("source", lambda x: lloyd_max(2, x)),
    ("source", lambda x: optimal_uniform(2, x)),
    ("x", visualize_quantization),
]
OF_CODES = [
    ("zero_point", lambda q: QuantizationParams(X, q, 0, 9, axis=0)),
    ("q", QUANTIZER.dequantize),
    ("codes", entropy),
    ("codes", pack_int4),
    ("packed", lambda q: unpack_int4(q, (4,))),
    ("a", lambda q: integer_matmul(q, Q, UNIT, UNIT, UNIT)),
    ("b", lambda q: integer_matmul(Q, q, UNIT, UNIT, UNIT)),
]
FLOAT_DTYPES = [
    getattr(torch, name)
    for name in ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz")
]


def nested(x):
    return torch.nested.nested_tensor([x[0], x[1]], layout=torch.strided)


@pytest.mark.parametrize("name, call", OF_FLOATS)
@pytest.mark.parametrize(
    "make, advice",
    [
        (lambda x: x.to_sparse(), "found a sparse_coo one; use {}.to_dense()"),
        (lambda x: x.to_sparse_csr(), "found a sparse_csr one; use {}.to_dense()"),
        (lambda x: x.to_mkldnn(), "found a _mkldnn one; use {}.to_dense()"),
        (nested, "found a nested one; use its parts"),
        (lambda x: x.to("meta"), "on the meta device has no values"),
        *((lambda x, d=d: x.to(d), f"found {d}; use {{}}.float()") for d in FLOAT_DTYPES),
        (lambda x: x + 0j, "found torch.complex64; use {}.real"),
        (lambda x: x.int(), "found torch.int32; use {}.float()"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # torch's own: these layouts are in beta
def test_what_is_no_dense_float_tensor_is_refused_by_name(name, call, make, advice):
    with pytest.raises(TypeError) as refusal:
        call(make(X))
    assert str(refusal.value).startswith(f"{name}: ")
    assert advice.format(name) in str(refusal.value)


@pytest.mark.parametrize("name, call", OF_CODES)
@pytest.mark.parametrize(
    "make",
    [
        lambda q: q.to_sparse(),
        lambda q: q.to("meta"),
        lambda q: q.to(torch.uint16),
        lambda q: q.to(torch.uint32),
        lambda q: q.to(torch.uint64),
        lambda q: q.float(),
        lambda q: q > 0,
        lambda q: q.tolist(),
    ],
)
@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_what_are_no_dense_codes_is_refused_by_name(name, call, make):
    with pytest.raises(TypeError, match=f"^{name}: "):
        call(make(Q.to(torch.uint8) if name == "packed" else Q))


@pytest.mark.filterwarnings("ignore:.*quantize_per_tensor.*deprecated:UserWarning")
def test_a_tensor_that_torch_has_quantized_says_how_to_go_on():
    x = torch.quantize_per_tensor(X, 0.1, 0, torch.quint8)
    with pytest.raises(TypeError, match=r"^x: .*\(torch.quint8\); use x.dequantize\(\)"):
        QUANTIZER.quantize(x)
    with pytest.raises(TypeError, match="^q: expected an integer tensor, found torch.quint8"):
        QUANTIZER.dequantize(x)


def test_the_scale_of_a_parameter_set_is_single_or_double_and_fixed():
    for dtype in (torch.float16, torch.bfloat16):
        with pytest.raises(TypeError, match=f"scale: expected float32 or float64, found {dtype}"):
            QuantizationParams(ONE.to(dtype), ZERO, 0, 9)
    with pytest.raises(ValueError, match=r"scale: .* requires a gradient; use scale.detach\(\)"):
        QuantizationParams(torch.nn.Parameter(ONE.clone()), ZERO, 0, 9)


def test_what_happens_to_the_callers_tensors_does_not_reach_the_parameters():
    scale, zero = ONE.clone(), ZERO.clone()
    params = QuantizationParams(scale, zero, 0, 9)
    scale.fill_(-1)
    zero.fill_(77)
    assert (params.scale, params.zero_point) == (1, 0)


@pytest.mark.parametrize("wrong", ["False", 1, None, torch.tensor([True, False])])
def test_a_switch_is_true_or_false(wrong):
    for name in ("symmetric", "full_range"):
        with pytest.raises(TypeError, match=f"^{name}: expected True or False, found"):
            QuantizationParams.from_tensor(X, INT8, **{name: wrong})


@pytest.mark.parametrize(
    "name, options",
    [
        ("percentile", {"percentile": "99"}),
        ("percentile", {"percentile": None}),
        ("percentile", {"percentile": True}),
    ],
)
def test_a_number_is_a_number(name, options):
    with pytest.raises(TypeError, match=f"^{name}: expected a number, found"):
        QuantizationParams.from_tensor(X, INT8, **options)


def test_a_method_that_is_no_word_is_refused():
    with pytest.raises(ValueError, match=r"^method: array\(.*is not known; use one of"):
        QuantizationParams.from_tensor(X, INT8, method=np.array(["mse", "minmax"]))


@pytest.mark.parametrize(
    "error, message, call",
    [
        (TypeError, "step: expected a number, found None", lambda: noise_power(None)),
        (TypeError, "rate: expected a number, found", lambda: gaussian_distortion([1.0, 2.0])),
        (TypeError, "rate: expected a number, found 'x'", lambda: gaussian_distortion("x")),
        (TypeError, "variance: expected a number", lambda: gaussian_distortion(1.0, X)),
        (ValueError, "rate: .* found nan", lambda: gaussian_distortion(torch.nan)),
        (ValueError, "variance: .* found nan", lambda: gaussian_distortion(1.0, torch.nan)),
        (TypeError, "m: expected a number, found None", lambda: fixed_point_multiplier(None)),
        (TypeError, "m: expected a tensor of real numbers", lambda: fixed_point_multiplier(X > 0)),
        (TypeError, "quantizer: expected a UniformQuantizer, found QuantizationParams; use",
         lambda: error_report(X, UNIT)),
    ],
)  # fmt: skip
def test_arguments_of_the_wrong_kind_are_named(error, message, call):
    with pytest.raises(error, match=f"^{message}"):
        call()


@pytest.mark.parametrize(
    "error, message, shape",
    [
        (TypeError, "shape: expected a tuple of ints, found 4", 4),
        (TypeError, "shape: expected a tuple of ints, found None", None),
        (TypeError, "shape: expected an int, found 3.0", (3.0,)),
        (ValueError, r"shape: expected lengths of at least 0, found \(-2, -2\)", (-2, -2)),
        (ValueError, r"shape: expected lengths of at least 0, found \(-1, -1\)", (-1, -1)),
        (ValueError, "shape: .* needs 5.* bytes, found 2", (10**30,)),
    ],
)
def test_a_shape_that_cannot_be_is_refused(error, message, shape):
    with pytest.raises(error, match=f"^{message}"):
        unpack_int4(torch.zeros(2, dtype=torch.uint8), shape)


def test_a_noise_power_beyond_the_floats_is_infinite_as_in_a_tensor():
    assert noise_power(1e200) == torch.inf
    assert noise_power(torch.tensor([6.0])).tolist() == [3.0]


def test_a_group_may_be_longer_than_any_tensor():
    params = QuantizationParams.from_tensor(X, INT8, group_size=10**30)
    assert params.scale.shape == (2, 1)
    assert torch.equal(UniformQuantizer(params)(X), X)


def test_the_shape_of_the_scales_follows_from_the_layout():
    assert scale_shape((3, 4, 5), -2, None) == (4,)
    assert scale_shape((3, 4, 5), None, 2) == (3, 4, 3)
    assert scale_shape((), None, None) == ()
    assert scale_shape((3, 4, 5), -3, None) == (3,) and scale_shape((3, 4, 5), 2, None) == (5,)
    for axis in (-4, 3):
        with pytest.raises(ValueError, match=rf"^axis: {axis} is out of range .*\[-3, .*, 2\]"):
            scale_shape((3, 4, 5), axis, None)


def test_a_matrix_has_rows_and_columns():
    require_matrix(X)
    for x in (X[0], X[None]):
        with pytest.raises(ValueError, match=r"^w: expected a matrix, found shape .*flatten\(1\)"):
            require_matrix(x, "w")


# ---- out -----------------------------------------------------------------------------------

BUFFER = torch.zeros(6, 8)
SHARED = "out: it shares memory with x without being x; use x itself, or a copy"
SELF_SHARED = r"out: some of its values share one place in memory \(strides \({}, 1\)\)"


@pytest.mark.parametrize(
    "message, x, out",
    [
        (SHARED, BUFFER[:4], BUFFER[1:5]),
        (SHARED, BUFFER[:, :6], BUFFER[:, :6].T),
        (SHARED, BUFFER[:, ::2], BUFFER[:, 2:6]),
        (SELF_SHARED.format(0), BUFFER[:4], torch.zeros(1, 8).expand(4, -1)),
        (SELF_SHARED.format(1), torch.ones(5, 4), torch.zeros(8).unfold(0, 4, 1)),
    ],
)
def test_an_out_that_shares_memory_is_refused(message, x, out):
    with pytest.raises(ValueError, match=f"^{message}"):
        require_out(out, x)


def test_an_out_beside_x_in_one_buffer_is_its_own():
    buffer = torch.zeros(6, 8)
    x = torch.arange(24.0).view(6, 4)
    buffer[:, ::2] = x
    assert QUANTIZER.forward(buffer[:, ::2], out=buffer[:, 1::2]).tolist() == x.tolist()
    assert torch.equal(buffer[:, ::2], x)
    halves = torch.rand(10)
    QUANTIZER.forward(halves[:5], out=halves[5:])


def test_numpy_may_share_memory_between_two_tensors():
    array = np.zeros(8, dtype=np.float32)
    x, out = torch.from_numpy(array[:6]), torch.from_numpy(array[2:])
    with pytest.raises(ValueError, match=SHARED):
        QUANTIZER.forward(x, out=out)


def test_tensors_may_begin_between_the_values_of_others():
    memory = bytearray(48)

    def floats(count, first_byte):
        return torch.from_numpy(np.frombuffer(memory, np.float32, count, first_byte))

    assert overlap(floats(4, 0), floats(4, 2))
    for apart in ((floats(2, 0), floats(2, 9)), (floats(2, 9), floats(2, 0)),
                  (floats(8, 1)[::2], floats(8, 1)[1::2])):  # fmt: skip
        assert not overlap(*apart)


@given(st.data())
def test_overlap_is_what_marking_every_byte_finds(data):
    size, start = st.integers(1, 4), st.integers(0, 6)
    buffer = torch.arange(64.0)

    def view():
        shape = data.draw(st.tuples(size, size))
        return buffer.as_strided(shape, data.draw(st.tuples(start, start)), data.draw(start))

    a, b = view(), view()
    assert overlap(a, b) == bool(set(a.flatten().tolist()) & set(b.flatten().tolist()))


def test_an_out_that_requires_a_gradient_is_refused_unless_none_is_due():
    out = torch.zeros(2, 2, requires_grad=True)
    with pytest.raises(ValueError, match=r"^out: it requires a gradient; use torch.no_grad\(\)"):
        QUANTIZER.forward(X, out=out)
    with torch.no_grad():
        assert QUANTIZER.forward(X, out=out) is out
