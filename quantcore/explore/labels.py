"""Every word that a reader of the page meets, in the language of the edition.

The words beside the controls, the values of drop-downs, and what each figure shows, said for
those who cannot see it. A new language is one more entry everywhere; a test finds what lacks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LANGUAGES = ("zh", "en")
LABELS = {
    "bits": {"zh": "位宽 b", "en": "bit width b"},
    "symmetric": {"zh": "对称", "en": "symmetric"},
    "signed": {"zh": "有符号", "en": "signed"},
    "dither": {"zh": "抖动", "en": "dither"},
    "clip": {"zh": "截断 c / σ", "en": "clip c / σ"},
    "size": {"zh": "离群值 / σ", "en": "outlier / σ"},
    "method": {"zh": "校准", "en": "calibration"},
    "granularity": {"zh": "粒度", "en": "granularity"},
    "shape": {"zh": "分布", "en": "distribution"},
    "format": {"zh": "格式", "en": "format"},
    "error": {"zh": "出错了", "en": "error"},
    "unrun": {
        "zh": "运行这一格，这幅图就能动：上面会出现控件，下面会出现读数。",
        "en": "Run this cell and the figure comes alive, with its controls and its numbers.",
    },
    "gone": {
        "zh": "内核重新启动过，这幅图已经不能动了。请重新运行这一格。",
        "en": "The kernel was restarted, and this figure no longer moves. Run this cell again.",
    },
    "quantized": {"zh": "量化后", "en": "quantized"},
    "original": {"zh": "原声", "en": "original"},
}
# What is said of a checkbox that is not ticked, and of one that is.
SWITCHES = {
    "symmetric": {"zh": ("非对称", "对称"), "en": ("asymmetric", "symmetric")},
    "signed": {"zh": ("无符号", "有符号"), "en": ("unsigned", "signed")},
    "dither": {"zh": ("不加抖动", "加抖动"), "en": ("without dither", "with dither")},
}
# The values of drop-downs. Those of formats are names, the same in every language.
OPTIONS = {
    "minmax": {"zh": "minmax 最小最大", "en": "minmax"},
    "percentile": {"zh": "percentile 百分位", "en": "percentile"},
    "mse": {"zh": "mse 均方误差", "en": "mse"},
    "entropy": {"zh": "entropy 熵", "en": "entropy"},
    "aciq": {"zh": "aciq 解析", "en": "aciq"},
    "per tensor": {"zh": "逐张量", "en": "per tensor"},
    "per channel": {"zh": "逐通道", "en": "per channel"},
    "per group": {"zh": "逐组", "en": "per group"},
    "normal": {"zh": "高斯", "en": "normal"},
    "laplace": {"zh": "拉普拉斯", "en": "laplace"},
    "uniform": {"zh": "均匀", "en": "uniform"},
    "relu": {"zh": "ReLU 的输出", "en": "relu"},
    "outliers": {"zh": "有离群值", "en": "outliers"},
}
THREE_PANELS = {
    "zh": "左图是 x 的直方图，红线是 x̂ 的各个编码，高度是密度。"
    "中图是误差除以步长的直方图，方框是 ±½ 里的均匀分布。右图是 x̂ 对 x 的散点，虚线是 x̂ = x。",
    "en": "Left, a histogram of x with a red line for each code of x̂, as high as its density. "
    "Middle, a histogram of the error in steps, with a box for a uniform error on ±½. "
    "Right, x̂ over x, with a dashed line for x̂ = x.",
}
DATA_AND_ERROR = {
    "zh": "左图是数据的直方图（纵轴取对数），底下的红线是各级，橙色虚线是范围的两端。"
    "右图是各个值的误差大小（纵轴取对数），虚线是 s/2，"
    "圆圈是绝对值最大的那个数，贴着底边就是没有误差。",
    "en": "Left, a histogram of the data on a log axis, the levels as red lines at the bottom, "
    "and the ends of the range as dashed lines. Right, how large each value's error is, on a log "
    "axis, with a dashed line at s/2 and a ring around the value of largest magnitude; at the "
    "bottom it has no error.",
}
FIGURES = {
    "quantization": THREE_PANELS,
    "shapes": THREE_PANELS,
    "workbench": THREE_PANELS,
    "outlier": DATA_AND_ERROR,
    "calibration": DATA_AND_ERROR,
    "staircase": {
        "zh": "左图是 x̂ 对 x 的阶梯，红点是各级，圆圈是 0，虚线是 x̂ = x。"
        "右图是误差除以步长：范围里是 ±½ 之间的锯齿，范围外一路增大，出了图；"
        "橙线是梯度，里面是 1，外面是 0。",
        "en": "Left, the staircase of x̂ over x, with dots for the levels, a ring at 0, and a "
        "dashed line for x̂ = x. Right, the error in steps: teeth between ±½ in the range, and "
        "outside it grows until it leaves the picture; the orange gradient is 1 inside, 0 outside.",
    },
    "granularity": {
        "zh": "左边是权重的热图，中间是误差的热图，颜色到半个（逐张量的）步长为止。"
        "右边是每一行的 SQNR，红线是整个矩阵的。",
        "en": "Left, a heat map of the weights. Middle, one of their error, whose colours end at "
        "half a step of one scale for all. Right, the SQNR of each row, with a red line for the "
        "whole matrix.",
    },
    "clipping": {
        "zh": "左图是高斯密度，红线是各级，橙色虚线是截断的两端 ±c。"
        "右图是噪声功率随 c 的变化（纵轴取对数）：颗粒噪声上升，过载噪声下降，"
        "总和先降后升，圆点是现在的 c。",
        "en": "Left, a Gaussian density, the levels as red lines, and the clip ±c as dashed ones. "
        "Right, noise power over c on a log axis: granular noise rises, overload noise falls, "
        "their sum falls and then rises; a dot marks the chosen c.",
    },
    "grid": {
        "zh": "上面一条轴上是全部编码，红线是零点。"
        "下面一条轴上是它们代表的值，红线是 0.0，橙色的一段是数据的范围。",
        "en": "Above, all codes on one axis, the zero point in red. Below, the values that they "
        "stand for, 0.0 in red, and the data's range as an orange bar.",
    },
    "formats": {
        "zh": "左图是这种格式的各级，最大的绝对值放在 1。"
        "右图是四种数据的 SQNR，位数相同的三种格式并排，选中的一种颜色最深。",
        "en": "Left, the format's levels, the largest magnitude at 1. Right, the SQNR of four "
        "sources, the three formats of as many bits side by side, the chosen one darkest.",
    },
    "rate": {
        "zh": "左图是每个编码出现的概率，虚线是所有编码同样常见时的概率 1/2ᵇ。"
        "右图是每个编码的理想码长 -log₂ p，灰色虚线是存储用的位宽 b，红线是平均码长，即熵 H。",
        "en": "Left, the probability of each code, with a dashed line at 1/2ᵇ, where all would be "
        "alike. Right, the ideal length -log₂ p of each code, with a dashed line at the b bits "
        "that are stored and a red line at the mean length, the entropy H.",
    },
    "photo": {
        "zh": "三张照片：原来的，量化后的，还有两者之差，放大到看得清。",
        "en": "Three photographs: the original, the quantized one, and their difference, amplified "
        "to be seen.",
    },
    "chord": {
        "zh": "左图是和弦的一小段波形，粗线是原来的，红色折线是量化后的。右图是声音和误差的频谱。",
        "en": "Left, a short piece of the chord's waveform, wide the original, red the quantized. "
        "Right, the spectra of the sound and of the error.",
    },
    "spectrum": {
        "zh": "左图是误差随时间的变化，和缩小一半的正弦画在一起。右图是两者的频谱。",
        "en": "Left, the error over time, beside the sine at half its size. Right, the spectra of "
        "both.",
    },
}
# A description: what is seen, what is chosen, what is measured.
SAID = {
    "zh": ("{seen}现在是：{chosen}。读数：{line}。", "{name} = {value}", "，"),
    "en": ("{seen} Chosen: {chosen}. Measured: {line}.", "{name} = {value}", ", "),
}
_language = "en"


def set_language(language: str) -> None:
    """Choose the language of all words: one of LANGUAGES."""
    global _language
    if language not in LANGUAGES:
        raise ValueError(f"language: expected 'zh' or 'en', found {language!r}")
    _language = language


def label(key: str) -> str:
    """The label of a control in the chosen language. Raises LookupError where it has none."""
    return _words("LABELS", LABELS, key)


def option(value: object) -> str:
    """A control's value in the chosen language; numbers and names of formats as they are."""
    words = OPTIONS.get(value) if isinstance(value, str) else None
    return words[_language] if words else str(value)


def describe(name: str, state: dict[str, object], line: str) -> str:
    """What a figure shows, its settings, its line of numbers, in sentences.

    A figure that the course does not have is called by its name.
    """
    whole, pair, comma = SAID[_language]
    chosen = (
        _words("SWITCHES", SWITCHES, key)[value]
        if isinstance(value, bool)
        else pair.format(name=label(key), value=option(value))
        for key, value in state.items()
    )
    measured = comma.join(part.strip() for part in line.split("   "))
    seen = FIGURES[name][_language] if name in FIGURES else f"{name}."
    return whole.format(seen=seen, chosen=comma.join(chosen), line=measured)


def _words(catalogue: str, entries: Mapping[str, Mapping[str, Any]], key: str) -> Any:
    if key not in entries:
        raise LookupError(f"{key!r} has no words: add it to {catalogue} in {__name__}")
    return entries[key][_language]
