"""The words beside the controls, in the language of the edition."""

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
_language = "en"


def set_language(language: str) -> None:
    """Choose the language of the controls' labels: "zh" or "en"."""
    global _language
    if language not in ("zh", "en"):
        raise ValueError(f"language: expected 'zh' or 'en', found {language!r}")
    _language = language


def label(key: str) -> str:
    """The label of a control in the chosen language."""
    return LABELS[key][_language]


def option(value: object) -> str:
    """A control's value in the chosen language."""
    return str(value)


def describe(name: str, state: dict[str, object], line: str) -> str:
    """What a figure shows: its name, its settings, its line of numbers."""
    chosen = ", ".join(f"{n}={v}" for n, v in state.items())
    return f"{name}({chosen}): {line}"
