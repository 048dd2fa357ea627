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
