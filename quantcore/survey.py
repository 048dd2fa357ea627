"""What quantizing costs each tensor of a model: the reader's own file, layer by layer.

Chapter 5b. A safetensors file is read one tensor at a time, so that a model larger than memory
passes too. Nothing is ever unpickled: a pickle may run any program when it is opened.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from .checks import FLOATS
from .information import sqnr_db
from .params import QuantizationParams
from .quantizer import UniformQuantizer
from .schemes import QuantizationScheme

Loads = Mapping[str, Callable[[], Tensor]]  # the name of each tensor, and what loads it


class Layer(NamedTuple):
    """One tensor of a model. Sizes are in bytes."""

    name: str
    shape: tuple[int, ...]
    sqnr_db: float  # inf for one that is kept as it is
    bits: float  # per value, the scales and the zero points counted
    before: int
    after: int


def progress(items: Iterable, what: str, total: int | None = None) -> Iterable:
    """The items, with a progress bar that goes when they are done.

    TQDM_DISABLE=1 leaves it out, as for notebooks that are run to be saved.
    """
    from tqdm.auto import tqdm

    off = os.environ.get("TQDM_DISABLE") == "1"
    return tqdm(items, desc=what, total=total, leave=False, disable=off)


def survey(
    source: str | Path | Mapping[str, Tensor],
    scheme: QuantizationScheme,
    symmetric: bool = True,
    **options,
) -> Iterator[Layer]:
    """Quantize the tensors of a model one after the other, and say what that costs each of them.

    source   the path of a safetensors file, or a state_dict
    scheme, symmetric, options   as for QuantizationParams.from_tensor: axis, group_size, method …
             With a group_size a weight of more than two axes is taken as a matrix, one row for
             each entry of axis 0.

    Float tensors with at least two axes are quantized. The others (biases, norms, integers) are
    kept, and counted with the bytes that they have. Codes are counted packed, b bits each, a
    scale as float32, and without `symmetric` b bits for each zero point.
    Raises FileNotFoundError or ValueError for a path that is no safetensors file, TypeError for
    any other source, ValueError where there is no float tensor; while it yields, a TypeError or
    ValueError that begins with the name of the tensor that cannot be quantized.

    >>> import torch
    >>> model = {"w": torch.eye(8), "b": torch.zeros(8)}
    >>> for layer in survey(model, QuantizationScheme.INT4):
    ...     print(layer.name, layer.sqnr_db, layer.bits, layer.before, layer.after)
    w inf 4.5 256 36
    b inf 32.0 32 32
    """
    return _layers(_tensors(source), scheme, symmetric, options)


def _layers(
    tensors: Loads,
    scheme: QuantizationScheme,
    symmetric: bool,
    options: dict,
) -> Iterator[Layer]:
    for name, load in progress(tensors.items(), "survey"):
        x = load().detach()
        before = x.numel() * x.element_size()
        if x.dtype not in FLOATS or x.dim() < 2 or x.numel() == 0:
            yield Layer(name, tuple(x.shape), math.inf, 8.0 * x.element_size(), before, before)
            continue
        rows = x.flatten(1) if options.get("group_size") else x
        try:
            params = QuantizationParams.from_tensor(rows, scheme, symmetric, **options)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{name}: {error}") from error
        cost = 32 if symmetric else 32 + scheme.bit_width
        stored = x.numel() * scheme.bit_width + params.scale.numel() * cost
        db = sqnr_db(rows, UniformQuantizer(params)(rows))
        bits, after = stored / x.numel(), math.ceil(stored / 8)
        yield Layer(name, tuple(x.shape), db, bits, before, after)


def worst(layers: Iterable[Layer]) -> Layer | None:
    """The quantized layer with the least SQNR, or None where none was quantized."""
    quantized = [layer for layer in layers if layer.sqnr_db < math.inf]
    return min(quantized, key=lambda layer: layer.sqnr_db, default=None)


def report(layers: Iterable[Layer]) -> list[Layer]:
    """Print a line for each layer as it comes, then their sum and the worst one.

    An interruption (■ in JupyterLab, Ctrl-C) ends it early: what came until then is summed up.
    Returns the layers.
    """
    seen: list[Layer] = []
    print(f"{'SQNR, dB':>9} {'bits/value':>11} {'bytes':>12}   layer")
    try:
        for layer in layers:
            seen.append(layer)
            db = "kept" if layer.sqnr_db == math.inf else f"{layer.sqnr_db:.1f}"
            print(f"{db:>9} {layer.bits:11.2f} {layer.after:12,}   {layer.name} {layer.shape}")
    except KeyboardInterrupt:
        print(f"interrupted after {len(seen)} tensors; of these:")
    before, after = sum(layer.before for layer in seen), sum(layer.after for layer in seen)
    print(f"{before:,} bytes become {after:,}", end="")
    print(f", {before / after:.2f} times less" if after else "")
    if least := worst(seen):
        print(f"worst layer: {least.name}, {least.sqnr_db:.1f} dB")
    return seen


def _tensors(source: str | Path | Mapping[str, Tensor]) -> Loads:
    """The name of each tensor, and a function that loads it."""
    if isinstance(source, Mapping):
        tensors = {name: t for name, t in source.items() if isinstance(t, Tensor)}
        loads: Loads = {name: partial(tensors.__getitem__, name) for name in tensors}
        floats = [name for name, t in tensors.items() if t.dtype in FLOATS]
    elif isinstance(source, str | Path):
        loads, floats = _in_file(Path(source).expanduser())
    else:
        raise TypeError(
            f"source: expected the path of a safetensors file or a state_dict, found "
            f"{type(source).__name__}; for a model use model.state_dict()"
        )
    if not floats:
        raise ValueError(
            f"source: found no float tensor among {len(loads)} tensors; "
            "use a model that is not quantized yet"
        )
    return loads


def _in_file(path: Path) -> tuple[Loads, list[str]]:
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        raise FileNotFoundError(f"source: there is no file {path.absolute()}; use another path")
    if path.is_dir():
        found = sorted(p.name for p in path.glob("*.safetensors"))
        raise ValueError(f"source: {path} is a folder; use one of its files {found}")
    try:
        file = safe_open(path, framework="pt")
    except SafetensorError as error:
        raise ValueError(
            f"source: {path} is no safetensors file ({error}); a .pt, .pth or .bin file is a "
            "pickle, which may run any program: convert it where you trust it, with "
            "safetensors.torch.save_file"
        ) from error
    dtypes = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
    floats = [name for name, dtype in dtypes.items() if dtype in ("F16", "BF16", "F32", "F64")]
    return {name: partial(file.get_tensor, name) for name in dtypes}, floats
