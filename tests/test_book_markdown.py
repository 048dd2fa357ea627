"""From a notebook to Markdown: formulas, outputs, links."""

import re
from pathlib import Path

import books  # noqa: F401  (it skips this file where the book extra is missing)
import pytest

from book import formulas, preprocess, words

# ---- formulas ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a $x$, $y_1$。", ["x", "y_1"]),
        ("$$\na = b\n$$", ["a = b"]),
        ("$a$和$b$", ["a", "b"]),
        ("`$x$` and ``a ` $y$``", []),
        ("```python\nprint('$x$')\n```\n$z$", ["z"]),
        ("~~~\n$x$\n~~~", []),
        ("- item\n\n  ```\n  $x$\n  ```\n", []),
        ("<code>$x$</code> <pre>\n$x$\n</pre>", []),
        (r"costs \$5, or \$6", []),
        ("from $5 to $6", []),
        ("a $ b $ c", []),
        ("one $dollar\n\nand another$ one", []),
        ("over a\nline: $a\n+ b$", ["a + b"]),
        (r"$\text{50\$}$", [r"\text{50\$}"]),
    ],
)
def test_what_is_a_formula(text, expected):
    assert [formula.tex for formula in formulas.find(text)] == expected


def test_a_formula_survives_markdown_on_one_line():
    text = r"$a * b * c_1 _x_ | y < z$ and `$a$` and "
    text += r"$$\begin{aligned} a &= b \\ c &= d \end{aligned}$$"
    drawn = formulas.replace(text, formulas.draw(formulas.find(text)))
    assert drawn.count("<math") == 2 and "`$a$`" in drawn and "\n" not in drawn
    assert not re.search(r"[*|_\\$]", drawn.replace("`$a$`", ""))
    assert 'class="formula display"' in drawn and "<mtable" in drawn


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("so $a$, and", ","),
        ("the $a$-th", "-th"),
        ("（即 $a$）。下面", "）。"),
        ("是 $a$ 的", None),
        ("$a$是", None),
        ("**$a$**", None),
        ("[$a$](b)", None),
        ("$$a$$.", None),
    ],
)
def test_a_line_never_begins_with_what_ends_a_formula(text, held):
    drawn = formulas.replace(text, formulas.draw(formulas.find(text)))
    found = re.findall(r'<span class="unbroken">.*?</math></span>(.*?)</span>', drawn)
    assert found == ([held] if held else [])


def test_a_formula_that_pandoc_cannot_read_is_an_error():
    with pytest.raises(ValueError, match="notacommand"):
        formulas.draw([formulas.Formula(r"\notacommand{x}", False)])


def test_functions_have_the_spaces_of_tex():
    drawn = formulas.draw([formulas.Formula(r"10\log_{10} x + \max(x)", False)])
    (html,) = drawn.values()
    assert html.count("mspace") // 2 == 2, "around log, and not before a parenthesis"


# ---- what becomes of outputs ---------------------------------------------------------------


def test_html_stays_one_block_of_markdown():
    block = preprocess.one_block(
        "<div>\n\n<script>\nlet a;\n\n\nlet b;\n</script>\n  \n<pre>a\n\n\nb</pre></div>"
    )
    assert not re.search(r"\n[ \t]*\n", block.strip())
    assert "<pre>a&#10;&#10;\nb</pre>" in block and "let a;\nlet b;" in block


def test_a_fence_is_longer_than_the_fences_inside():
    assert preprocess.fenced('"""\n```\n"""').startswith("````python\n")


@pytest.mark.parametrize(
    "before, after",
    [
        ("[a](b.ipynb)", "[a](b.html)"),
        ("[a](../zh/b.ipynb#part)", "[a](../zh/b.html#part)"),
        ("[a](b.ipynb#2-量化（RMS）：噪声-★)", "[a](b.html#2-量化rms噪声-)"),
        ("[a](b.ipynb#%E5%99%AA%E5%A3%B0)", "[a](b.html#噪声)"),
        ("[a](#Part-one)", "[a](#part-one)"),
        ("[a](c.html#Part)", "[a](c.html#Part)"),
        ('<a href="b.ipynb">', '<a href="b.html">'),
        ("[a](https://host/b.ipynb)", "[a](https://host/b.ipynb)"),
        ("the file b.ipynb", "the file b.ipynb"),
    ],
)
def test_links_to_notebooks_lead_to_pages(before, after):
    assert preprocess.LINK.sub(preprocess.to_page, before) == after


def links_with(address, deck=False):
    config = {
        "output": {"html": {"git-repository-url": address}},
        "preprocessor": {"notebooks": {"branch": "main"}},
    }
    return preprocess.notebook_links(
        "01_a.ipynb", Path("notebooks/zh"), words.ours("zh"), config, deck
    )


@pytest.mark.parametrize("address", [None, "", "https://example.org/owner/name"])
def test_no_link_to_a_host_without_a_repository(address):
    assert links_with(address).count("<a ") == 1
    assert '<a href="01_a.ipynb" download>' in links_with(address)


def test_a_chapter_with_slides_leads_to_them():
    assert '<a href="slides/01_a.html">' in links_with(None, deck=True)


def test_links_to_colab_and_binder():
    links = links_with("https://github.com/owner/name.git")
    file = "notebooks/zh/01_a.ipynb"
    assert f"https://colab.research.google.com/github/owner/name/blob/main/{file}" in links
    assert f"https://mybinder.org/v2/gh/owner/name/main?urlpath=lab/tree/{file}" in links
