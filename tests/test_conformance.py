"""Beside ONNX's reference evaluator and onnxruntime: bit for bit.

The standard is the text of ONNX QuantizeLinear and DequantizeLinear. Where an implementation
leaves it, a test asserts what that implementation does instead; all else is equality.
"""

from dataclasses import replace
from fractions import Fraction
from itertools import product
from math import frexp

import numpy as np
import pytest
import torch
from conformance import DTYPES, SCALES, cases, drawn, finite, on_x86, params
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer
from quantcore.integer import integer_matmul, pack_int4, unpack_int4

# Older ones differ from the standard in more ways than these tests tell, each in its own.
onnx = pytest.importorskip("onnx", "1.23", reason="onnx, of the extra `test`, is missing")
ort = pytest.importorskip("onnxruntime", "1.32", reason="onnxruntime, of `test`, is missing")
from onnx import helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402
from onnxruntime.capi import onnxruntime_pybind11_state as refused  # noqa: E402

SCHEMES = list(QuantizationScheme)
INT8, INT16, UINT8 = (QuantizationScheme[n] for n in ("INT8", "INT16", "UINT8"))
BYTES = [s for s in SCHEMES if s.bit_width == 8]

# ---- ONNX: a graph of constants, two engines -----------------------------------------------


def in_runtime(model):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    return ort.InferenceSession(model.SerializeToString(), options).run(None, {})


ENGINES = {"reference": lambda m: ReferenceEvaluator(m).run(None, {}), "onnxruntime": in_runtime}
LIMIT = {"reference": 2.0**30, "onnxruntime": torch.inf}  # the first casts to int32, see below


def evaluate(engine, nodes, tensors, outputs, opset=21):
    """Run the nodes on tensors that are given as name: (tensor, name of its ONNX type)."""
    constants = []
    for name, (t, kind) in tensors.items():
        dtype = helper.tensor_dtype_to_np_dtype(getattr(onnx.TensorProto, kind))
        t = t.float() if t.dtype == torch.bfloat16 else t
        constants.append(numpy_helper.from_array(t.numpy().astype(dtype), name))
    ends = [helper.make_empty_tensor_value_info(name) for name in outputs]
    graph = helper.make_graph(nodes, "graph", [], ends, constants)
    opsets = [helper.make_opsetid("", opset)]
    results = ENGINES[engine](helper.make_model(graph, opset_imports=opsets, ir_version=10))
    return [torch.from_numpy(np.asarray(y)) for y in results]


def first_opset(scheme, least):
    """The first opset from `least` on whose QuantizeLinear makes the scheme's type, or None."""
    for version in range(least, onnx.defs.onnx_opset_version() + 1):
        output = onnx.defs.get_schema("QuantizeLinear", version).type_constraints[-1]
        if f"tensor({scheme.name.lower()})" in output.allowed_type_strs:
            return version
    return None


def quantize_linear(engine, x, p, scheme, scale_dtype=torch.float32, **options):
    """What QuantizeLinear makes of x, and DequantizeLinear of that: codes and values."""
    blocks = {} if p.group_size is None else {"axis": -1, "block_size": p.group_size}
    where = blocks if p.axis is None else {"axis": p.axis}
    make = helper.make_node
    nodes = [
        make("QuantizeLinear", ["x", "s", "z"], ["q"], **where, **options),
        make("Cast", ["q"], ["codes"], to=onnx.TensorProto.INT32),
        make("DequantizeLinear", ["q", "s", "z"], ["y"], **where),
        make("Cast", ["y"], ["values"], to=onnx.TensorProto.FLOAT),
    ]
    tensors = {"x": (x, DTYPES[x.dtype]), "s": (p.scale, DTYPES[scale_dtype])}
    tensors["z"] = p.zero_point, scheme.name
    least = 23 if x.dtype != scale_dtype or options else 21  # two float types, and `precision`
    return evaluate(engine, nodes, tensors, ["codes", "values"], first_opset(scheme, least))


def is_shared(engine, dtype, scheme):
    if first_opset(scheme, 23) is None:
        return False
    try:
        quantize_linear(engine, torch.ones(1, dtype=dtype), params(1.0, 0, scheme), scheme)
    except (refused.Fail, refused.InvalidGraph, refused.NotImplemented):
        return False
    return True


SHARED = [key for key in product(ENGINES, DTYPES, SCHEMES) if is_shared(*key)]
FLOAT32 = [(engine, scheme) for engine, dtype, scheme in SHARED if dtype == torch.float32]


@pytest.mark.parametrize("engine, dtype", list(product(ENGINES, DTYPES)))
def test_an_engine_shares_at_least_the_integers_of_opset_21(engine, dtype):
    names = [scheme.name for *where, scheme in SHARED if where == [engine, dtype]]
    if (engine, dtype) != ("onnxruntime", torch.bfloat16):
        assert {"INT4", "UINT4", "INT8", "UINT8", "INT16"} <= set(names)
    pytest.skip(f"{engine}, {dtype}: all but {[s.name for s in SCHEMES if s.name not in names]}")


def assert_agrees(x, p, codes, values):
    quantizer = UniformQuantizer(p)
    q = quantizer.quantize(x)
    assert torch.equal(q.int(), codes)
    assert torch.equal(quantizer.dequantize(q), finite(values, torch.float32))
    assert torch.equal(quantizer(x), finite(values, x.dtype))


@pytest.mark.parametrize("layout", ["per tensor", "per axis", "blocked"])
@pytest.mark.parametrize("engine, dtype, scheme", SHARED)
def test_an_engine_gives_the_same_codes_and_values(engine, scheme, dtype, layout):
    for x, p in cases(scheme, layout, dtype, LIMIT[engine]):
        assert_agrees(x, p, *quantize_linear(engine, x, p, scheme))


@pytest.mark.parametrize("engine, scheme", FLOAT32)
@settings(max_examples=50)
@given(st.data())
def test_an_engine_agrees_whatever_the_scale_and_the_zero_point(engine, scheme, data):
    x, p = data.draw(drawn(scheme, LIMIT[engine]))
    assert_agrees(x, p, *quantize_linear(engine, x, p, scheme))


@on_x86
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
def test_the_reference_evaluator_overflows_where_the_quotient_leaves_int32():
    x, p = torch.tensor([2.0**31, torch.inf, -torch.inf]), params(1.0, 0, INT8)
    assert UniformQuantizer(p).quantize(x).tolist() == [127, 127, -128]
    assert quantize_linear("onnxruntime", x, p, INT8)[0].tolist() == [127, 127, -128]
    assert quantize_linear("reference", x, p, INT8)[0].tolist() == [-128, -128, -128]


@pytest.mark.filterwarnings("ignore:overflow encountered in multiply")
@pytest.mark.parametrize("engine", ENGINES)
def test_the_largest_value_comes_back_finite_here_and_as_infinity_in_onnx(engine):
    x = torch.tensor([1.0, -1.0]) * torch.finfo(torch.float32).max
    p = params(x[0] / 112.6, 0, INT8)  # 112.6 rounds to 113, and 113 s is beyond float32
    codes, values = quantize_linear(engine, x, p, INT8)
    assert codes.tolist() == [113, -113] and values.isinf().all()
    assert_agrees(x, p, codes, values)


@pytest.mark.parametrize("engine, dtype, scheme", [k for k in SHARED if k[1] != torch.float32])
def test_a_scale_of_half_precision_makes_the_standard_divide_in_it(engine, dtype, scheme):
    """quantcore divides in float32, which `precision` asks for.

    So does onnxruntime without being asked, but for its 2-bit types.
    """
    scales = SCALES[1:4].to(dtype).float()
    for x, p in cases(scheme, "per tensor", dtype, 2.0**15 - 99, scales):
        ours = UniformQuantizer(p).quantize(x).int()
        halved = (x / p.scale.to(dtype)).float().round() + p.zero_point
        halved = halved.clamp(scheme.qmin, scheme.qmax).int()
        codes, values = quantize_linear(engine, x, p, scheme, dtype)
        in_half = engine == "reference" or scheme.bit_width == 2
        assert torch.equal(codes, halved if in_half else ours)
        assert scheme.bit_width == 2 or not torch.equal(halved, ours)
        assert torch.equal(values, UniformQuantizer(p).dequantize(codes).to(dtype).float())
        precise = quantize_linear(engine, x, p, scheme, dtype, precision=onnx.TensorProto.FLOAT)
        assert torch.equal(precise[0], ours)


# ---- ONNX: ranges, products, packing -------------------------------------------------------


def dynamic(engine, x):
    """Codes, scale and zero point of DynamicQuantizeLinear, and quantcore's."""
    node = helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"])
    p = QuantizationParams.from_tensor(x, UINT8, symmetric=False)
    ours = UniformQuantizer(p).quantize(x), p.scale, p.zero_point.to(torch.uint8)
    return evaluate(engine, [node], {"x": (x, "FLOAT")}, ["q", "s", "z"]), ours


@pytest.mark.parametrize("engine", ENGINES)
@given(st.lists(st.floats(-(2.0**126), 2.0**126, width=32), min_size=1, max_size=9))
def test_an_asymmetric_range_is_dynamicquantizelinears(engine, values):
    assume(max(*values, 0) - min(*values, 0) >= 2.0**-118)  # 255 of the least normal scale
    theirs, ours = dynamic(engine, torch.tensor(values))
    assert all(torch.equal(t, o) for t, o in zip(theirs, ours, strict=True))


@pytest.mark.filterwarnings("ignore:.* encountered in")
@pytest.mark.parametrize("engine", ENGINES)
def test_onnx_has_no_usable_scale_for_a_range_that_float32_does_not_hold(engine):
    zeros = {"reference": 1 / 255, "onnxruntime": 1.0}[engine]  # the former divides its 1, too
    for values, their_scale, our_scale in (
        ([0.0, 0.0], zeros, 1.0),
        ([3e38, -3e38], torch.inf, 6e38 / 255),
        ([2.0**-149, -(2.0**-149)], 0.0, 2.0**-149),
    ):
        theirs, ours = dynamic(engine, torch.tensor(values))
        assert torch.equal(theirs[1], torch.tensor(their_scale))
        assert torch.equal(ours[1], torch.tensor(our_scale))


def matmul(engine, a, b, p_a, p_b, p_out, schemes):
    """MatMulInteger, and QLinearMatMul with quantcore's parameters."""
    a_kind, b_kind = (scheme.name for scheme in schemes)
    tensors = {"a": (a, a_kind), "b": (b, b_kind)}
    for side, p, kind in (("a", p_a, a_kind), ("b", p_b, b_kind), ("y", p_out, a_kind)):
        tensors |= {"s" + side: (p.scale, "FLOAT"), "z" + side: (p.zero_point, kind)}
    inputs = ["a", "sa", "za", "b", "sb", "zb", "sy", "zy"]
    nodes = [helper.make_node("MatMulInteger", ["a", "b", "za", "zb"], ["sums"]),
             helper.make_node("QLinearMatMul", inputs, ["y"])]  # fmt: skip
    return evaluate(engine, nodes, tensors, ["sums", "y"])


@pytest.mark.parametrize("engine, a_scheme, b_scheme", list(product(ENGINES, BYTES, BYTES)))
def test_a_product_is_onnxs_but_for_one_code_near_a_tie(engine, a_scheme, b_scheme):
    """Near: no farther than the errors of the two multipliers, in exact fractions.

    ONNX multiplies the sum by M in float32. quantcore has M to 31 bits, and rounds twice: to
    2^-shift, then to an integer, which moves a sum by up to 2^-(shift + 1).
    """
    n, z_b = torch.arange(1, 81), b_scheme.qmin + 5
    a = torch.arange(a_scheme.qmin, a_scheme.qmax + 1)[:, None].expand(-1, 3)
    b = z_b + torch.stack([n, torch.ones_like(n), -torch.ones_like(n)])
    m = torch.cat([2 ** torch.linspace(-11, -1, 40) / n[:40], (n[:40] - 0.5) / 37 / n[40:]])
    p_a, p_out = params(0.3, a_scheme.qmin + 3, a_scheme), params(0.7, 5, a_scheme)
    p_b = params(m * 0.7 / 0.3, torch.full_like(n, z_b), b_scheme, axis=1)
    try:
        sums, theirs = matmul(engine, a, b, p_a, p_b, p_out, (a_scheme, b_scheme))
    except refused.NotImplemented as error:
        pytest.skip(f"{a_scheme.name} · {b_scheme.name}: {error}")
    assert torch.equal(sums, (a[:, :1] - p_a.zero_point) * n)
    unit_a, unit_b = replace(p_a, scale=torch.tensor(1.0)), replace(p_b, scale=torch.ones(80))
    exact_sums = integer_matmul(a, b, unit_a, unit_b, params(1.0, 0, INT16))
    assert torch.equal(exact_sums.int(), sums)
    ours, m32 = integer_matmul(a, b, p_a, p_b, p_out), p_a.scale * p_b.scale / p_out.scale
    floats = (sums.float() * m32).round() + 5
    if engine == "reference":  # it adds the zero point first, against the operator's text
        floats = (sums.double() * m32.double() + 5).round()
    assert torch.equal(theirs, floats.clamp(a_scheme.qmin, a_scheme.qmax).to(theirs.dtype))
    different = (ours != theirs).nonzero().tolist()
    for i, j in different:
        s_a, s_b, s_out = map(Fraction, (p_a.scale.item(), p_b.scale[j].item(), p_out.scale.item()))
        exact, total = s_a * s_b / s_out, sums.tolist()[i][j]
        shift = -frexp(exact)[1]
        fixed = Fraction(round(exact * 2 ** (31 + shift)), 2 ** (31 + shift))
        our_error = abs(total * (fixed - exact)) + Fraction(1, 2 ** (shift + 1))
        their_error = abs(total) * (abs(Fraction(m32[j].item()) - exact) + exact / 2**24)
        assert abs(total * exact % 1 - Fraction(1, 2)) <= max(our_error, their_error)
        assert abs(ours[i, j].int() - theirs[i, j].int()) == 1
    assert 0 < len(different) < 0.02 * theirs.numel()


@pytest.mark.parametrize("engine", ENGINES)
def test_ties_of_a_product_go_up_here_and_to_even_in_onnx(engine):
    a, one, unit, z = torch.arange(-6, 7)[:, None], torch.tensor([[1]]), params(1.0, 0, INT8), 1
    arguments = a, one, params(0.5, 0, INT8), unit, params(1.0, z, INT8)
    assert torch.equal(integer_matmul(*arguments).int(), (a / 2 + 0.5).floor().int() + z)
    to_even = (a / 2 + z).round() if engine == "reference" else (a / 2).round() + z
    assert torch.equal(matmul(engine, *arguments, (INT8, INT8))[1].int(), to_even.int())
    # After a shift they go away from zero. 5/4 is no tie: it becomes 3/2 first, and then 2.
    arguments = torch.tensor([[-2], [2], [5]]), one, params(0.25, 0, INT8), unit, unit
    assert integer_matmul(*arguments).flatten().tolist() == [-1, 1, 2]
    assert matmul(engine, *arguments, (INT8, INT8))[1].flatten().tolist() == [0, 0, 1]


@pytest.mark.parametrize("scheme", [s for e, s in FLOAT32 if e == "reference" and s.bit_width == 4])
@given(st.data())
def test_packed_codes_are_the_bytes_of_an_onnx_tensor(scheme, data):
    codes = data.draw(st.lists(st.integers(scheme.qmin, scheme.qmax), min_size=1, max_size=9))
    packed = pack_int4(torch.tensor(codes, dtype=scheme.dtype))
    kind, shape = getattr(onnx.TensorProto, scheme.name), (len(codes),)
    assert helper.make_tensor("t", kind, shape, codes).int32_data == packed.tolist()
    raw = helper.make_tensor("t", kind, shape, bytes(packed.tolist()), raw=True)
    assert numpy_helper.to_array(raw).astype(int).tolist() == codes
    assert unpack_int4(packed, shape, scheme.signed).tolist() == codes
