"""The editions say the same, cell for cell; and what copies code between them.

The last part shows each comparison a chapter that is wrong, and what a translation may change.
"""

import subprocess
import sys

import pytest
from chapters import HEADER, IGNORED, write_chapter
from nbformat.v4 import new_code_cell, new_markdown_cell

from notebooks import build, parity, sync

PAIRS = parity.chapters(build.ROOT)


@pytest.mark.parametrize("pair", PAIRS, ids=[f"{b.parent.name}/{b.stem}" for _, b in PAIRS])
def test_the_editions_agree(pair):
    found = list(parity.differences(*pair))
    assert not found, "\n".join([f"python notebooks/parity.py {pair[0].stem}", *found])


# ---- a small course in two languages ------------------------------------------------------------

ZH = {
    "03_params": [
        "# 参数\n\n| 部分 | 时间 |\n|:--|:--|\n| 噪声 | 10 分钟 |",
        'explore.set_language("zh")',
        "## 噪声 ★\n\n70 亿个权重，占 14 GB，分成 3 组，第 2 组全是 0，"
        "约十二万个，1,024 个。$b$ 位的 INT8。"
        "[**饱和截断**](glossary.ipynb#量化)（clipping，也叫限幅）。\n\n"
        "$$\n\\sigma_q^2 = \\frac{s^2}{12}\n$$\n〔[N2](06_summary.ipynb#公式总表)〕\n\n"
        "`x.abs()`，形状 `(输出, 输入)`。$s$ 大于 $s/2$。$s$ 的单位。\n\n1. 一\n2. 二\n\n"
        "**【预测】** 几个？\n\n<details><summary>参考答案</summary>\n\n"
        "```python\nx = 1\nprint(x)  # 输出\n```\n\n</details>",
        "x = 1\nprint(x)",
        "（[Max，1960；Jacob 等，2018](references.ipynb)），见[后面](#噪声-★)。",
    ],
    "06_summary": ["# 总结\n\n## 公式总表"],
    "glossary": [
        "# 术语表\n\n## 量化\n\n| 术语 | English | 一句话 | 出处 |\n|:--|:--|:--|:--|\n"
        "| 饱和截断 | clipping | 出界的取端点 | [参数](03_params.ipynb) |\n"
        "| 截断 | clip | 简称 | [参数](03_params.ipynb) |"
    ],
}
EN = {
    "03_params": [
        "# Parameters\n\n| section | time |\n|:--|:--|\n| Noise | 10 minutes |",
        'explore.set_language("en")',
        "## Noise ★\n\nFourteen weights? No: 7 billion, 14 GB, in three groups of some 120,000, "
        "the 2nd of them all 0s, in all 1024, with an INT8 of $b$ bits, INT8 again, "
        "[**clipping**](glossary.ipynb#On-levels)."
        "\n\n$$\n\\sigma_q^2 = \\frac{s^2}{12}.\n$$\n[[N2](06_summary.ipynb#All-formulas)]\n\n"
        "`x.abs()` of the shape `(output, input)`. $s/2$ is less than $s$, in its unit.\n\n"
        "1. one\n2. two\n\n**[Predict]** How many?\n\n<details><summary>Answer</summary>\n\n"
        "```python\nx = 1\nprint(x)  # output\n```\n\n</details>",
        "x = 1\nprint(x)",
        "([Max, 1960; Jacob et al., 2018](references.ipynb)), see [below](#Noise-★).",
    ],
    "06_summary": ["# Summary\n\n## All formulas"],
    "glossary": [
        "# Glossary\n\n## On levels\n\n| term | 中文 | meaning | chapter |\n|:--|:--|:--|:--|\n"
        "| clipping | 饱和截断 | beyond the end, its value | [Parameters](03_params.ipynb) |\n"
        "| clip | 截断 | for short | [Parameters](03_params.ipynb) |"
    ],
}
TAGGED = {3: ["predict", IGNORED]}


def write(folder, chapters):
    folder.mkdir()
    (folder / "SUMMARY.md").touch()
    for name, sources in chapters.items():
        cells = [
            (new_code_cell if i % 2 and name == "03_params" else new_markdown_cell)(source)
            for i, source in enumerate(sources)
        ]
        for i, cell in enumerate(cells):
            if cell.cell_type == "code" and i in TAGGED:
                cell.metadata.tags = TAGGED[i]
        write_chapter(folder / f"{name}.ipynb", cells)


@pytest.fixture
def course(tmp_path, monkeypatch):
    """The folder of its editions."""
    write(tmp_path / "zh", ZH)
    write(tmp_path / "en", EN)
    monkeypatch.setattr(parity, "ROOT", tmp_path)
    monkeypatch.setattr(sync, "ROOT", tmp_path)
    return tmp_path


def found(course, name="03_params"):
    return "\n".join(parity.differences(course / f"zh/{name}.py", course / f"en/{name}.py"))


def change(path, old, new):
    text = path.read_text("utf-8")
    assert old in text, f"the test looks for {old!r}"
    path.write_text(text.replace(old, new, 1), "utf-8")


@pytest.mark.parametrize("name", ZH)
def test_a_translation_is_no_difference(course, name):
    assert found(course, name) == ""


WRONG = [
    # what is written in the English chapter, what it says there, what is said of it
    ('set_language("en")', 'set_language("zh")', 'cell 1: set_language("en") is the language'),
    ("\nx = 1\nprint(x)", "\nx = 1\nprint(3)", "cell 3: code: 'print(x)' in zh, 'print(3)' here"),
    ("\nx = 1\nprint(x)", "\nx = 1", "'print(x)' in zh, '(no line)' here"),
    ('"predict", ', "", "cell 3: kind, tags and slide: ('code', ['predict'"),
    ('# %% tags=["predict"', '# %% [markdown] tags=["predict"', "cell 3: kind, tags and slide"),
    ("s^2}{12}", "s^2}{3}", r"cell 2 (Noise ★): formulas: only in zh: \sigma_q^2 = \frac"),
    ("$s/2$", "Half of it", "formulas: only in zh: s/2"),
    ("of $b$ bits", "of its bits", "symbols: only in zh: b"),
    ("7 billion", "7 million", "numbers: only in zh: 7000000000; only in here: 7000000"),
    ("14 GB", "15 GB", "numbers: only in zh: 14; only in here: 15"),
    ("14 GB", "14 GB, 14 GB", "numbers: only in here: 14"),
    ("three groups", "groups", "numbers: only in zh: 3"),
    ("120,000", "130,000", "numbers: only in here: 130000"),
    ("10 minutes", "15 minutes", "cell 0 (Parameters): numbers: only in zh: 10"),
    ("INT8 of $b$ bits, INT8", "INT4 of $b$ bits, INT4", "names: only in zh: INT8; only in here"),
    ("`x.abs()`", "It", "inline code: only in zh: (输出, 输入), x.abs();"),
    ("`(output, input)`", "that", "inline code: only in zh: (输出, 输入)"),
    ("# x = 1", "# x = 2", "code lines: only in zh: print(x)  # 输出, x = 1; only in here"),
    ("#On-levels", "#Glossary", "references: only in zh: glossary.ipynb#(heading 1);"),
    ("#On-levels", "#Levels", "only in here: glossary.ipynb#Levels (no such heading)"),
    ("[N2]", "[N3]", "references: only in zh: N2 in 06_summary.ipynb#(heading 1)"),
    ("Max, 1960", "Max, 1961", "references: only in zh: [Max, 1960]; only in here: [Max, 1961]"),
    ("Jacob et al.", "Jacob & Kligys", "cell 4: references: only in zh: [Jacob et al., 2018]"),
    ("see [below](#Noise-★)", "see below", "references: only in zh: #(heading 1)"),
    ("## Noise", "### Noise", "headings: ['## ★'] in zh, ['### ★'] here"),
    ("Noise ★\n", "Noise\n", "headings: ['## ★'] in zh, ['##'] here"),
    ("[Predict]", "[Compute]", "questions: ['Predict'] in zh, ['Compute'] here"),
    ("# 2. two\n", "", "list items: 2 in zh, 1 here"),
    ("# | Noise | 10 minutes |", "# 10 minutes", "table rows: 3 in zh, 2 here"),
    ("<details>", "", "folds: 1 in zh, 0 here"),
    ("**clipping**", "**saturation**", "terms: 饱和截断 is introduced, and 'clipping' is not said"),
    ("\n# %% [markdown]\n# ([Max", "\n# ([Max", "5 cells in zh, 4 here"),
    (
        "\n# %% [markdown]\n# ([Max",
        '\n# %% [markdown] slideshow={"slide_type": "skip"}\n# ([Max',
        "cell 4: kind, tags and slide: ('markdown', [], '-') in zh, ('markdown', [], 'skip') here",
    ),
]  # fmt: skip
RULES = {
    "set_language", "code:", "kind, tags and slide", "formulas", "symbols", "numbers", "names",
    "inline code", "code lines", "references", "headings", "questions", "list items", "table rows",
    "folds", "terms", "cells in",
}  # fmt: skip


def test_every_rule_is_shown_something_wrong():
    assert not [rule for rule in RULES if not any(rule in said for *_, said in WRONG)]


@pytest.mark.parametrize(("old", "new", "said"), WRONG)
def test_a_difference_is_shown(course, old, new, said):
    change(course / "en/03_params.py", old, new)
    assert said in found(course)


def test_the_glossaries_have_the_same_rows(course):
    change(course / "en/glossary.py", "| clip | 截断", "| cut | 截断")
    assert "terms: ['截断', 'clip'] in zh, ['cut', '截断'] here" in found(course, "glossary")


def test_a_place_on_a_page_that_is_not_translated_yet_is_not_compared(course):
    change(course / "en/03_params.py", "#All-formulas", "#Some-formulas")
    assert "no such heading" in found(course)
    (course / "en/06_summary.py").unlink()
    assert found(course) == ""
    assert found(course, "06_summary") == "there is no 06_summary.py"


def test_chapters_are_those_of_either_edition(course):
    (course / "en/07_more.py").write_text("", "utf-8")
    (course / "zh/06_summary.py").unlink()
    names = [path.stem for _, path in parity.chapters(course)]
    assert names == ["03_params", "06_summary", "07_more", "glossary"]
    (course / "en/SUMMARY.md").unlink()
    assert parity.chapters(course) == [], "there is one edition"


@pytest.mark.parametrize(
    ("word", "value"),
    [("两", 2), ("十", 10), ("十二", 12), ("三百零五", 305), ("一千万", 10**7), ("千万", 10**7),
     ("二十亿", 2 * 10**9), ("一万两千", 12000)],
)  # fmt: skip
def test_chinese_numerals(word, value):
    assert parity.numeral(word) == value


def test_it_prints_what_it_finds(course, capsys):
    with pytest.raises(SystemExit) as end:
        parity.main([])
    assert (capsys.readouterr().out, end.value.code) == ("0 differences\n", False)
    change(course / "en/03_params.py", "14 GB", "15 GB")
    with pytest.raises(SystemExit) as end:
        parity.main(["03_params"])
    said = "en/03_params, cell 2 (Noise ★): numbers: only in zh: 14; only in here: 15"
    assert (capsys.readouterr().out, end.value.code) == (f"{said}\n1 differences\n", True)


# ---- code, copied across ------------------------------------------------------------------------


def synced(source, *names):
    with pytest.raises(SystemExit) as end:
        sync.main(source, list(names))
    return end.value.code


@pytest.mark.parametrize(("source", "target"), [("zh", "en"), ("en", "zh")])
def test_code_and_tags_are_copied_and_nothing_else(course, source, target, capsys):
    before = (course / target / "03_params.py").read_text("utf-8")
    assert synced(source) == 0 and capsys.readouterr().out == ""
    change(course / source / "03_params.py", "\nx = 1\nprint(x)", "\nx = 2\n\nprint(x)")
    change(course / source / "03_params.py", '"predict"', '"fold"')
    assert synced(source) == 0
    after = (course / target / "03_params.py").read_text("utf-8")
    expected = before.replace("\nx = 1\nprint(x)", "\nx = 2\n\nprint(x)")
    assert after == expected.replace('"predict"', '"fold"') != before
    assert capsys.readouterr().out == f"{target}/03_params: brought into step with {source}\n"
    assert found(course) == ""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("# %%\nexplore", "# %% [markdown]\n# explore", "cell 1 is Markdown ['# explore.set"),
        ("# %% [markdown]\n# # 参数", "# %%\nx = 0\n\n# %% [markdown]\n# # 参数", "cell 0 is code"),
        ("# ## 噪声", "# 噪声\n\n# %% [markdown]\n#", "cell 3 is Markdown"),
        ("\n# %% [markdown]\n# （[Max", "\n# （[Max", "cell 4 is only there: ['# ([Max"),
    ],
)
def test_cells_of_different_kinds_are_never_matched(course, old, new, said, capsys):
    before = (course / "en/03_params.py").read_bytes()
    change(course / "zh/03_params.py", old, new)
    assert synced("zh") == 1
    assert (course / "en/03_params.py").read_bytes() == before
    assert f"en/03_params is left alone: {said}" in capsys.readouterr().out


def test_a_chapter_that_is_named_is_made_for_its_translator(course):
    (course / "en/03_params.py").unlink()
    synced("zh")
    assert not (course / "en/03_params.py").exists()
    synced("zh", "03_params")
    text = (course / "en/03_params.py").read_text("utf-8")
    assert text.startswith(HEADER) and "# # 参数" in text
    assert 'explore.set_language("en")' in text and '"zh"' not in text
    with pytest.raises(SystemExit, match="notebooks/zh has no chapter 09"):
        sync.main("zh", ["09"])


@pytest.mark.parametrize("arguments", [[], ["03_params"], ["fr"]])
def test_sync_asks_from_where(arguments):
    script = str(build.ROOT / "sync.py")
    done = subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True)
    assert done.returncode == 1 and "make sync FROM=zh" in done.stderr
