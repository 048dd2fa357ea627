"""The quantizer on ten million float32 values, against torch's own operators."""

from statistics import median
from time import perf_counter

import torch

from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer

N, ROUNDS = 10_000_000, 15
INT8 = QuantizationScheme.INT8


def side_by_side(rounds: int, **calls) -> dict[str, float]:
    """Median seconds of each call; the calls take turns, so that drift reaches them all."""
    times = {name: [] for name in calls}
    for i in range(rounds + 1):
        for name, call in calls.items():
            start = perf_counter()
            call()
            if i:  # the first round warms up
                times[name].append(perf_counter() - start)
    return {name: median(t) for name, t in times.items()}


def report(what: str, times: dict[str, float], of: str, to: str, ratio: float, goal: str) -> None:
    """One line: both medians in ms, their ratio, and the ratio that was aimed at."""
    print(
        f"{what:34} {of} {times[of] * 1e3:8.1f} ms   {to} {times[to] * 1e3:8.1f} ms   "
        f"ratio {ratio:6.2f}   (goal {goal})"
    )


def naive_mse_search(x: torch.Tensor) -> float:
    """What method="mse" replaces: quantize everything a hundred times."""
    reach, best = x.abs().max(), (torch.inf, 0.0)
    for step in range(1, 101):
        scale = reach * step / 100 / INT8.qmax
        params = QuantizationParams(scale, torch.tensor(0), INT8.qmin, INT8.qmax)
        best = min(best, ((UniformQuantizer(params)(x) - x).square().mean().item(), step))
    return best[0]


def forward(x: torch.Tensor, axis: int | None, torch_call) -> None:
    """Time forward, with and without a buffer, against torch's fake-quantize and a copy."""
    params = QuantizationParams.from_tensor(x, INT8, axis=axis)
    quantizer, buffer = UniformQuantizer(params), torch.empty_like(x)
    name = "per tensor" if axis is None else "per channel"
    times = side_by_side(
        ROUNDS,
        forward=lambda: quantizer(x),
        torch=lambda: torch_call(params),
        out=lambda: quantizer.forward(x, out=buffer),
        copy_=lambda: buffer.copy_(x),
    )
    times = {k: times[k] for k in ("forward", "torch", "out", "copy_")}
    faster = times["torch"] / times["forward"]
    report(f"{name}: torch / forward", times, "torch", "forward", faster, "at least 1.5")
    slower = times["out"] / times["copy_"]
    report(f"{name}: forward(out=) / copy_", times, "out", "copy_", slower, "at most 2.5")


def main() -> None:
    """Print the ratios."""
    print(f"{N:,} float32 values, {torch.get_num_threads()} threads, median of {ROUNDS}")
    x = torch.randn(N, generator=torch.Generator().manual_seed(0))
    fq = torch.fake_quantize_per_tensor_affine
    forward(x, None, lambda p: fq(x, p.scale, p.zero_point, p.qmin, p.qmax))
    rows, fqc = x.view(1000, -1), torch.fake_quantize_per_channel_affine
    forward(rows, 0, lambda p: fqc(rows, p.scale, p.zero_point, 0, p.qmin, p.qmax))

    times = side_by_side(
        1,
        naive=lambda: naive_mse_search(x),
        mse=lambda: QuantizationParams.from_tensor(x, INT8, method="mse"),
    )
    report("calibration: naive / method='mse'", times, "naive", "mse",
           times["naive"] / times["mse"], "at least 50")  # fmt: skip
    found = UniformQuantizer(QuantizationParams.from_tensor(x, INT8, method="mse"))
    mse = (found(x) - x).square().mean().item()
    print(f"its MSE / the full search's MSE: {mse / naive_mse_search(x):.4f}   (goal at most 1.01)")
