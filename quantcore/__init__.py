"""quantcore: the mathematics of quantization, in code that reads like the formulas.

>>> import torch
>>> from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer, sqnr_db
>>> x = torch.tensor([-1.0, -0.25, 0.0, 0.4, 2.0])
>>> params = QuantizationParams.from_tensor(x, QuantizationScheme.INT4, symmetric=False)
>>> quantizer = UniformQuantizer(params)
>>> quantizer.quantize(x)
tensor([-8, -4, -3, -1,  7], dtype=torch.int8)
>>> quantizer(x)  # forward: quantize, then dequantize
tensor([-1.0000, -0.2000,  0.0000,  0.4000,  2.0000])
>>> round(sqnr_db(x, quantizer(x)), 1)  # decibels
33.2
"""

from importlib import import_module

from .information import entropy, gaussian_distortion, noise_power, sqnr_db
from .integer import fixed_point_multiplier, integer_matmul, pack_int4, unpack_int4
from .optimal import lloyd_max, optimal_uniform
from .params import QuantizationParams
from .quantizer import UniformQuantizer
from .schemes import QuantizationScheme, float_levels, nf4_levels

# These need matplotlib, ipywidgets, hypothesis, so they load when they are first used.
_LATER = {
    "visualize_quantization": "visualization",
    "visualization": "visualization",
    "schematics": "schematics",
    "explore": "explore",
    "exercises": "exercises",
}

__all__ = [
    "QuantizationParams",
    "QuantizationScheme",
    "UniformQuantizer",
    "entropy",
    "exercises",
    "explore",
    "fixed_point_multiplier",
    "float_levels",
    "gaussian_distortion",
    "integer_matmul",
    "lloyd_max",
    "nf4_levels",
    "noise_power",
    "optimal_uniform",
    "pack_int4",
    "schematics",
    "sqnr_db",
    "unpack_int4",
    "visualization",
    "visualize_quantization",
]


def __getattr__(name: str):
    if name not in _LATER:
        raise AttributeError(f"module 'quantcore' has no attribute {name!r}")
    module = import_module(f".{_LATER[name]}", __name__)
    return module if name == _LATER[name] else getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
