"""Values on which quantizers differ, for the tests beside other implementations."""

import platform

import pytest
import torch
from hypothesis import strategies as st

from quantcore import QuantizationParams

SCALES = torch.tensor([1.0, 0.1, 0.7, 1 / 3, 3e-5, 1e30, 1e-40])
DTYPES = {torch.float32: "FLOAT", torch.float16: "FLOAT16", torch.bfloat16: "BFLOAT16"}
on_x86 = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"),
    reason="how a float leaves the range of an integer was measured on x86 only",
)


def params(scale, zero_point, scheme, **layout):
    scale, zero_point = torch.as_tensor(scale), torch.as_tensor(zero_point, dtype=torch.int32)
    return QuantizationParams(scale, zero_point, scheme.qmin, scheme.qmax, **layout)


def within(x, limit, s):
    """Clamp to |x| ≤ limit · s; a finite limit keeps infinities out."""
    top = torch.inf if limit == torch.inf else torch.finfo(x.dtype).max
    reach = (limit * s).clamp(max=top)
    return x.float().clamp(-reach, reach).to(x.dtype)


def cases(scheme, layout, dtype=torch.float32, limit=torch.inf, scales=SCALES):
    """Every tie of the grid, its neighbours, and extremes; a row, and a zero point, a scale."""
    qmin, qmax = scheme.qmin, scheme.qmax
    zeros = torch.tensor([qmin, qmin | 1, (qmin + qmax) // 2, qmax] * 2)[: len(scales)]
    ties = torch.arange(qmin - 3, qmax + 4) + 0.5 - zeros[:, None]
    ties = (ties * scales[:, None]).to(dtype)
    near = [torch.nextafter(ties, torch.full_like(ties, end)) for end in (torch.inf, -torch.inf)]
    edges = torch.tensor([0.0, -0.0, 1e-45, -1e-40, 3e38, -3e38, torch.inf, -torch.inf])
    x = torch.cat([ties, *near, edges.to(dtype).repeat(len(scales), 1)], 1)
    x = within(x, limit, scales[:, None])
    if layout == "per tensor":
        return [(row, params(s, z, scheme)) for row, s, z in zip(x, scales, zeros, strict=True)]
    if layout == "per axis":
        return [(x, params(scales, zeros, scheme, axis=0)),
                (x.T.contiguous(), params(scales, zeros, scheme, axis=-1))]  # fmt: skip
    blocks = params(scales[None], zeros[None], scheme, group_size=x.shape[1])
    return [(x.reshape(1, -1)[:, :-2], blocks)]  # the last block is shorter


@st.composite
def drawn(draw, scheme, limit, least=2.0**-140):
    """Points and ties of the grid, or their neighbours, and any values; with any parameters."""
    s = torch.tensor(draw(st.floats(least, 2.0**100, width=32)))
    p = params(s, draw(st.integers(scheme.qmin, scheme.qmax)), scheme)
    halves = draw(st.lists(st.integers(2 * scheme.qmin - 9, 2 * scheme.qmax + 9), max_size=9))
    points = (torch.tensor(halves) / 2 - p.zero_point) * s
    end = torch.tensor(draw(st.sampled_from([0.0, torch.inf, -torch.inf])))
    free = draw(st.lists(st.floats(allow_nan=False, width=32), min_size=1, max_size=9))
    return within(
        torch.cat([points, torch.nextafter(points, end), torch.tensor(free)]), limit, s
    ), p


def finite(values, dtype):
    largest = torch.finfo(dtype).max
    return values.clamp(-largest, largest).to(dtype)
