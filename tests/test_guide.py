"""The instructor's guide: what it says of a chapter is what the chapter's own table promises."""

import re

import pytest

from notebooks import build, pace

# Sections that are read after the class, or when they are needed.
NOT_IN_CLASS = *pace.HOMEWORK, pace.STAR, "附录", "Appendix"
GUIDES = sorted(build.ROOT.glob("[!.]*/instructor.md"))


def minutes_said(text: str) -> dict[str, list[int]]:
    """Chapter → the numbers of its line about time, the first of which is the whole."""
    found = {}
    for part in re.split(r"(?m)^## (?=\d)", text)[1:]:
        line = re.search(r"^- \*\*(?:时间|Minutes)\*\*[:：](.*)$", part, re.MULTILINE)
        found[part.split()[0]] = [int(n) for n in re.findall(r"\d+", line[1])]
    return found


def differences(said: list[int], promised: dict[str, int]) -> list[str]:
    """What a guide's numbers do not say of the sections that are taught in class."""
    taught = {name: m for name, m in promised.items() if name not in NOT_IN_CLASS}
    wrong = [] if said[0] >= sum(taught.values()) else [f"{said[0]} for {sum(taught.values())}"]
    rest = iter(said[1:])
    return wrong + [f"{name}: {m}" for name, m in taught.items() if m not in rest]


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.parent.name)
def test_the_guide_gives_each_section_the_minutes_of_its_chapter(guide):
    said = minutes_said(guide.read_text("utf-8"))
    chapters = {path.stem.split("_")[0]: path for path in sorted(guide.parent.glob("[0-9]*.py"))}
    assert list(said) == list(chapters)
    wrong = {
        name: found
        for name, path in chapters.items()
        if (found := differences(said[name], pace.promised(build.read_source(path))))
    }
    assert wrong == {}


def test_a_guide_that_says_something_else_is_found():
    text = "## 00 Start\n\n- **Aim**: 3.\n- **Minutes**: 30. First 10, then 15, summary 5.\n"
    said = minutes_said(text)["00"]
    table = {"a": 10, "b": 15, "Exercises": 99, "c": 5, pace.STAR: 20}
    assert said == [30, 10, 15, 5] and differences(said, table) == []
    assert differences(said, table | {"b": 16}) == ["30 for 31", "b: 16", "c: 5"]
    assert differences([29, 10, 15, 5], table) == ["29 for 30"]
