"""What the files around the code say of each other and of the code is true."""

import ast
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import oldest
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import quantcore

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
DECLARED = [
    Requirement(line) for group in [PROJECT["dependencies"], *EXTRAS.values()] for line in group
]
CONDA_NAMES = {
    "torch": "pytorch",
    "matplotlib": "matplotlib-base",  # without the Qt windows that a notebook never opens
    "playwright": "playwright-python",
}


def pins() -> list[Requirement]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    return [Requirement(line) for line in lines if not line.startswith("#")]


def pinned_versions() -> dict[str, str]:
    return {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pins()}


def installed_version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def conda_dependencies() -> list:
    return yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]


def conda_ranges() -> dict[str, SpecifierSet]:
    named = [entry.partition(" ") for entry in conda_dependencies() if isinstance(entry, str)]
    return {name: SpecifierSet(spec) for name, _, spec in named}


@pytest.mark.parametrize("requirement", DECLARED, ids=str)
def test_every_dependency_has_a_range_that_holds_its_pin(requirement):
    operators = {part.operator for part in requirement.specifier}
    assert operators == {">=", "<"}, f"{requirement}: give a lower and an upper bound"
    version = pinned_versions().get(canonicalize_name(requirement.name))
    assert version, f"constraints.txt does not pin {requirement.name}"
    assert requirement.specifier.contains(version), f"the pin {version} is outside {requirement}"


def test_a_dependency_named_twice_has_one_range():
    ranges = {}
    for requirement in DECLARED:
        first = ranges.setdefault(canonicalize_name(requirement.name), requirement.specifier)
        assert requirement.specifier == first, requirement.name


def test_constraints_are_exact_versions_and_nothing_else():
    text = (ROOT / "constraints.txt").read_text("utf-8")
    assert "://" not in text and "--hash" not in text and "@" not in text
    for pin in pins():
        exact = re.fullmatch(r"==[0-9][0-9a-z.]*", str(pin.specifier))
        assert exact, f"{pin}: one exact release, with no local label"
    names = [canonicalize_name(pin.name) for pin in pins()]
    assert names == sorted(set(names)), "sorted, each once"
    assert "quantcore" not in names


def test_constraints_pin_what_the_dependencies_bring():
    # What a package brings depends on its version, so only the pinned versions are followed.
    # torch is not: its builds for other devices bring packages that it pins itself.
    pinned = pinned_versions()
    todo, seen = list(DECLARED), set()
    while todo:
        requirement = todo.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        assert name in pinned, f"constraints.txt does not pin {name}"
        if (name, extras) in seen or name == "torch" or installed_version(name) != pinned[name]:
            continue
        seen.add((name, extras))
        for child in map(Requirement, metadata.requires(name) or []):
            if not child.marker or any(
                child.marker.evaluate({"extra": extra}) for extra in {"", *extras}
            ):
                todo.append(child)


def test_conda_has_the_same_names_and_ranges():
    expected = {
        CONDA_NAMES.get(requirement.name, requirement.name): requirement.specifier
        for requirement in map(
            Requirement, PROJECT["dependencies"] + EXTRAS["lab"] + EXTRAS["test"]
        )
    }
    expected["python"] = SpecifierSet(PROJECT["requires-python"])
    expected["pip"] = SpecifierSet()
    assert conda_ranges() == expected


def test_conda_installs_this_repository_through_pip_and_nothing_more():
    nested = [entry for entry in conda_dependencies() if not isinstance(entry, str)]
    assert nested == [{"pip": ["-e ."]}]


@pytest.mark.parametrize("folder", ["quantcore", "notebooks/zh"])
def test_what_the_course_imports_is_in_core_or_lab(folder):
    named = {
        name.split(".")[0]
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
    }
    owners = metadata.packages_distributions()
    needed = {canonicalize_name(owners[n][0]) for n in named - sys.stdlib_module_names}
    declared = {
        canonicalize_name(Requirement(line).name)
        for line in PROJECT["dependencies"] + EXTRAS["lab"]
    }
    assert needed - declared <= {"quantcore", "ipython"}, "ipywidgets brings IPython"


def test_the_oldest_versions_are_the_lower_ends_of_the_ranges():
    expected = {
        requirement.name: part.version
        for requirement in DECLARED
        for part in requirement.specifier
        if part.operator == ">="
    }
    assert oldest.floors() == expected


READMES = ["README.md", "README.zh.md"]


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def commands(text: str) -> set[str]:
    """The targets that a page names after `make`."""
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, flags=re.DOTALL))
    return set(re.findall(r"\bmake ([a-z-]+)", code))


def targets() -> set[str]:
    """The targets that `make` lists."""
    return set(re.findall(r"^([a-z-]+):.*##", text_of("Makefile"), flags=re.MULTILINE))


@pytest.mark.parametrize("readme", READMES)
def test_the_readme_names_every_command_and_no_other(readme):
    assert commands(text_of(readme)) == targets() - {"help"}


def test_contributing_names_commands_that_exist():
    assert {"test", "mutants"} <= commands(text_of("CONTRIBUTING.md")) <= targets()


@pytest.mark.parametrize("page", [*READMES, "CONTRIBUTING.md"])
def test_every_file_that_a_page_links_to_exists(page):
    code = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)  # what stands in it is no link
    text = code.sub("", text_of(page))
    linked = re.findall(r"\]\(([^)#:]+)\)", text)
    assert linked
    assert not [name for name in linked if not (ROOT / name).exists()]


@pytest.mark.parametrize("readme", READMES)
def test_the_code_of_the_readme_is_the_example_of_the_package(readme):
    # which the doctests run
    (code,) = re.findall(r"```pycon\n(.*?)```", text_of(readme), flags=re.DOTALL)
    assert code.count(">>>") == 8
    assert code in quantcore.__doc__


@pytest.mark.parametrize("readme", READMES)
def test_the_map_of_the_readme_is_the_package(readme):
    (tree,) = re.findall(r"^quantcore/\n((?: .*\n)+)", text_of(readme), flags=re.MULTILINE)
    rooms = re.findall(r"^ +([\w./]+)", tree, flags=re.MULTILINE)
    found = [path for path in (ROOT / "quantcore").rglob("*.py") if path.name != "__init__.py"]
    assert sorted(room for room in rooms if not room.endswith("/")) == sorted(p.name for p in found)


def test_the_readmes_are_in_step():
    def skeleton(text):
        names = re.findall(r"^ *([\w./,]+)  +\S", text, flags=re.MULTILINE)
        return names, re.findall(r"^\| `[^`]*`|\]\(\w.*?\)|^##? |^\d\. ", text, flags=re.MULTILINE)

    english, chinese = (
        skeleton(
            text_of(name)
            .replace("README.zh.md", "README.md")
            .replace("notebooks/en", "notebooks/zh")
            .replace("live-figure.en", "live-figure.zh")
        )
        for name in READMES
    )
    assert english == chinese


def test_the_citation_says_what_it_must():
    citation = yaml.safe_load(text_of("CITATION.cff"))
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["authors"] == [{"name": "The quantcore authors"}]
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]


def test_the_issue_form_asks_for_what_explains_a_number():
    form = yaml.safe_load(text_of(".github/ISSUE_TEMPLATE/my-numbers-differ.yml"))
    assert {"name", "description", "body"} <= form.keys()
    fields = {part["id"]: part for part in form["body"] if part["type"] != "markdown"}
    assert list(fields) == ["cell", "expected", "got", "versions", "machine"]
    assert all(part["attributes"]["label"] for part in fields.values())
    assert all(part["validations"]["required"] for part in fields.values())
    (code,) = re.findall(r"`(import .*)`", fields["machine"]["attributes"]["description"])
    exec(code)
