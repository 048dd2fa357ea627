"""The model of how long a chapter takes, on a chapter whose minutes are counted by hand."""

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from notebooks import pace

TOP = """# 标题

这一段在第一节之前，不计时间。**【预测】** 这个也不计。

| 部分 | 时间 |
|:--|:--|
| 1 从范围到 $s$ | 10 分钟 |
| 小结 | 5 分钟 |
| ★ 选读 | 15 分钟 |
"""


def chapter(*cells):
    """A chapter with the table above, and these cells: text, or code with its tags."""
    made = [
        new_markdown_cell(c) if isinstance(c, str) else new_code_cell(c[0], metadata={"tags": c[1]})
        for c in (TOP, *cells)
    ]
    return new_notebook(cells=made)


def taken(text):
    return pytest.approx(pace.minutes(chapter(text)))


def test_minutes_of_a_chapter_counted_by_hand():
    minutes = pace.minutes(
        chapter(
            ("import torch", []),  # before the first section
            "## 1 从范围到 $s$\n\n" + "量" * 216,  # with the heading's four characters: 220
            "**【预测】** 猜。\n\n$$\na = b\n$$\n\n中间有 $x$ 和 `y`。",  # 2 + 0.7; 3 + 4 = 7
            ("explore.staircase()", []),  # 3
            ("x = 1", ["predict"]),  # 0.7
            ("sheet.show('a')", ["fold"]),  # 0
            ("explore.grid()", ["fold"]),  # 3
            "### 更多 ★\n\n" + "量" * 438 + "\n\n### 回来\n",  # 440, then 2
            "## 2 傅里叶 ★\n\n### 它的一部分\n\n**【计算】**",  # 3 + 5 + 2 = 10, and 2 minutes
            ("explore.spectrum()", []),  # 3, starred too
            "## 小结\n\n" + "结" * 108,  # 110
        )
    )
    assert minutes == pytest.approx(
        {
            "1 从范围到 $s$": 1 + 2 + 0.7 + 7 / 220 + 3 + 0.7 + 3 + 2 / 220,
            "★": 2 + 10 / 220 + 2 + 3,
            "小结": 0.5,
        }
    )


def test_exercises_take_what_they_say_and_inputs_belong_to_their_questions():
    minutes = pace.minutes(
        chapter(
            "## 1 一\n\n**【预测】**",
            ('exercises.predict("zero-point-sign")', []),
            "## 练习\n\n**【操作】**（8 分钟，难度 1/3）写出来。" + "字" * 300,
            ("def my_scale(x):\n    return ...", []),
            ('exercises.check("symmetric-scale", my_scale)', []),
            "**【操作】**（5 分钟，难度 2/3）再写一个。",
        )
    )
    assert minutes == {"1 一": pytest.approx(2 + 3 / 220), "练习": 13}


def test_what_stands_in_a_fence_takes_no_time_and_begins_no_section():
    text = "## 一\n\n```bash\n## 这不是标题\nmake lab\n```\n\n~~~\n字\n~~~\n\n字"
    assert taken(text) == {"一": 2 / 220}


def test_words_of_another_language_count_where_there_is_no_chinese():
    assert taken("## 1 Noise\n\n" + "word " * 157) == {"1 Noise": 1}
    text = "`some.code`, $\\text{some formula}$, <b>the</b> [place](other_chapter.ipynb#a-place)"
    assert taken("## Noise\n\n" + text) == {"Noise": 3 / 158}
    assert taken("## 噪声\n\n" + "word " * 109) == {"噪声": 2 / 220}


@pytest.mark.parametrize("label", ["**【思考】**", "**【操作】**", "**[Think]**", "**[Try]**"])
def test_every_label_is_a_question(label):
    assert pace.minutes(chapter("## 一\n\n" + label))["一"] == pytest.approx(2, abs=0.02)


def test_the_table_is_read_with_formulas_and_the_star():
    assert pace.promised(chapter()) == {"1 从范围到 $s$": 10, "小结": 5, "★": 15}


def test_only_rows_of_two_columns_with_minutes_promise_something():
    notebook = chapter()
    notebook.cells[0].source = "| a | b | 5 分钟 |\n| 部分 | 时间 |\n| c | 7 minutes |\n| d | x 5 |"
    assert pace.promised(notebook) == {"c": 7}


def test_it_prints_both_side_by_side(tmp_path, capsys):
    path = tmp_path / "a.py"
    path.write_text(
        "# %% [markdown]\n# | 一 | 5 分钟 |\n\n# %% [markdown]\n# ## 一\n# 字\n", "utf-8"
    )
    pace.main([str(path)])
    assert "  1 (promised 5)  一" in capsys.readouterr().out
