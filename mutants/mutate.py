"""The mutants of a module: Cosmic Ray's operators, and two that suit code made of tensors."""

import ast
import difflib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import cosmic_ray.plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

HERE = Path(__file__).parent
ROOT = HERE.parent
CONFIG = tomllib.loads((HERE / "config.toml").read_text("utf-8"))


@dataclass(frozen=True)
class Mutant:
    """One change: the source with it, the line, the function around it, the lines that differ."""

    source: str
    line: int
    function: str
    before: str
    after: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What the lists of equivalent mutants know it by; it survives changes elsewhere."""
        return self.function, self.before, self.after

    def __str__(self) -> str:
        return f"{self.function}\n  - {self.before}\n  + {self.after}"


class SwapName:
    """x.min() → x.max(), any → all: names that stand for opposites."""

    def __init__(self) -> None:
        pairs = CONFIG["opposites"]
        self.opposite = {a: b for pair in pairs for a, b in (pair, pair[::-1])}

    def mutation_positions(self, node):
        """One for each such name."""
        if node.type == "name" and node.value in self.opposite:
            yield node.start_pos, node.end_pos

    def mutate(self, node, index):
        """Put the opposite in its place."""
        node.value = self.opposite[node.value]
        return node


class DropCall:
    """x.abs().max() → x.max(): a method is not called. Functions of a module stay."""

    def _calls(self, node) -> list[int]:
        parts = [child.get_code().strip() for child in getattr(node, "children", ())]
        if node.type not in ("atom_expr", "power"):
            return []
        return [
            i
            for i in range(1, len(parts) - 1)
            if parts[i].startswith(".") and parts[i + 1].startswith("(")
            if not (i == 1 and parts[0] in CONFIG["modules"])
        ]

    def mutation_positions(self, node):
        """One for each call of a method in a chain."""
        return [
            (node.children[i].start_pos, node.children[i + 1].end_pos) for i in self._calls(node)
        ]

    def mutate(self, node, index):
        """Take the name and its arguments out of the chain."""
        i = self._calls(node)[index]
        del node.children[i : i + 2]
        return node


def operators() -> list:
    """Cosmic Ray's operators that config.toml chooses, and the two above."""
    chosen = re.compile("|".join(f"(?:{pattern})" for pattern in CONFIG["operators"]))
    names = [n for n in cosmic_ray.plugins.operator_names() if chosen.fullmatch(n.split("/")[1])]
    return [cosmic_ray.plugins.get_operator(name)() for name in names] + [SwapName(), DropCall()]


def meaning(source: str) -> str | None:
    """The syntax tree without annotations, which are never evaluated; None if it is no Python."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign):
            node.annotation = ast.Constant(None)
        elif isinstance(node, ast.FunctionDef):
            node.returns = None
    return ast.dump(tree)


def function_at(source: str, line: int) -> str:
    """The dotted name of the innermost class or function around a line."""
    names, tree = [], ast.parse(source)
    for node in ast.walk(tree):  # outer ones first
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            if first <= line <= node.end_lineno:
                names.append(node.name)
    return ".".join(names) or "module"


def source_of(module: str) -> str:
    """The text of a module of quantcore."""
    return (ROOT / "quantcore" / f"{module}.py").read_text("utf-8")


def mutants_of(module: str) -> list[Mutant]:
    """Every mutant of a module of quantcore that differs in meaning from it and the others."""
    source = source_of(module)
    nodes, seen, found = list(ast_nodes(get_ast(source))), {meaning(source), None}, []
    for operator in operators():
        count = sum(len(list(operator.mutation_positions(node))) for node in nodes)
        for occurrence in range(count):
            changed = mutate_code(source, operator, occurrence)
            if (tree := meaning(changed)) in seen:
                continue
            seen.add(tree)
            old, new = source.splitlines(), changed.splitlines()
            matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
            edits = [op for op in matcher.get_opcodes() if op[0] != "equal"]
            i1, i2, j1, j2 = edits[0][1], edits[-1][2], edits[0][3], edits[-1][4]
            before, after = (" ".join(" ".join(t).split()) for t in (old[i1:i2], new[j1:j2]))
            line = i1 + 1 + [bool(text.strip()) for text in old[i1:i2]].index(True)
            found.append(Mutant(changed, line, function_at(source, line), before, after))
    return sorted(found, key=lambda m: m.line)
