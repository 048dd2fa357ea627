"""pyproject.toml, constraints.txt, environment.yml, the Makefile and the READMEs agree."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

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


@pytest.mark.parametrize("readme", ["README.md", "README.zh.md"])
def test_the_commands_of_the_readme_exist(readme):
    text = (ROOT / readme).read_text("utf-8")
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, flags=re.DOTALL))
    named = set(re.findall(r"\bmake ([a-z-]+)", code))
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    assert {"lab", "test"} <= named
    assert named <= targets, f"no such target: {sorted(named - targets)}"
