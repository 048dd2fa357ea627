"""Build every edition of the book into _book, or serve one: `book/build.py --serve --port 3001`.

An edition is a folder of notebooks with a SUMMARY.md. Each is `mdbook build` with mdBook's own
variables set over book.toml. What mdBook warns of ends the build.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script too

from book import words

ROOT = Path(__file__).resolve().parents[1]
# What mdBook says before a warning or an error of its own, once the colours are removed.
COMPLAINT = re.compile(r"\s*(\S+Z\s+)?(WARN|ERROR)\b")
COLOUR = re.compile(r"\x1b\[[\d;]*m")
HEAD = ROOT / "book/theme/head.hbs"  # mdBook puts it into every page of its own
# The first page chooses the reader's language where the book has it.
FRONT = """<!doctype html>
<html lang="{first}">
<meta charset="utf-8">
{head}
<title>{title}</title>
<script>
const editions = {editions};
const wanted = navigator.languages.map(l => l.slice(0, 2)).find(l => editions.includes(l));
location.replace((wanted || editions[0]) + '/index.html');
</script>
<ul>{links}</ul>
</html>
"""


def editions() -> list[str]:
    """The editions that exist; the first is the one that book.toml describes."""
    found = {path.parent.name for path in ROOT.glob("notebooks/[!.]*/SUMMARY.md")}
    return sorted(found, key=lambda name: (name != "zh", name))


def variables(edition: str, target: Path) -> dict[str, str]:
    """The environment in which mdbook builds this edition into the target."""
    # mdbook starts `python`: the one that runs this.
    scripts = [str(Path(sys.executable).parent), sysconfig.get_path("scripts")]
    return os.environ | {
        "PATH": os.pathsep.join([*scripts, os.environ.get("PATH", "")]),
        "PYTHONIOENCODING": "utf-8",
        "MDBOOK_BOOK__SRC": f"notebooks/{edition}",
        "MDBOOK_BOOK__LANGUAGE": edition,
        "MDBOOK_BOOK__TITLE": words.ours(edition)["title"],
        "MDBOOK_BUILD__BUILD_DIR": str(target),
    }


def mdbook(env: dict[str, str]) -> str:
    """The path of mdbook. Windows would look for it on our own PATH, and not on that of `env`."""
    found = shutil.which("mdbook", path=env["PATH"])
    return found or sys.exit("there is no mdbook: pip install -c constraints.txt -e '.[book]'")


def complains(line: str) -> bool:
    """Whether mdBook warns in this line; what the kernels log is no warning of mdBook's."""
    return COMPLAINT.match(COLOUR.sub("", line)) is not None


def build(edition: str, target: Path) -> None:
    """Build one edition. Exits where mdbook fails, and where it warns."""
    env = variables(edition, target)
    warned = False
    with subprocess.Popen(
        [mdbook(env), "build", str(ROOT)],
        env=env,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    ) as process:
        for line in process.stderr or ():
            sys.stderr.write(line)
            sys.stderr.flush()
            warned |= complains(line)
    if process.returncode or warned:
        sys.exit(f"{edition}: the book was not built" + (": mdbook warned" if warned else ""))


def write_front(folder: Path, built: list[str]) -> None:
    """The page above the editions."""
    links = "".join(
        f'<li><a href="{e}/index.html">{words.ours(e)["title"]}</a></li>' for e in built
    )
    page = FRONT.format(
        first=built[0],
        head=HEAD.read_text("utf-8"),
        title=words.ours(built[0])["title"],
        editions=built,
        links=links,
    )
    (folder / "index.html").write_text(page, "utf-8", newline="\n")


def main() -> None:
    """Read the command line, and build or serve."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--edition", action="append", help="only this one; may be repeated")
    parser.add_argument("--out", type=Path, default=ROOT / "_book", help="default: _book")
    parser.add_argument("--serve", action="store_true", help="serve the first, with live reload")
    chosen, rest = parser.parse_known_args()
    known = editions()
    wanted = chosen.edition or known
    if unknown := set(wanted) - set(known):
        parser.error(f"no such edition: {', '.join(sorted(unknown))}; there are {known}")
    if chosen.serve:
        env = variables(wanted[0], chosen.out.resolve() / ".serve")
        with suppress(KeyboardInterrupt):
            sys.exit(subprocess.call([mdbook(env), "serve", str(ROOT), *rest], env=env))
        return
    if rest:
        parser.error(f"not understood: {' '.join(rest)}")
    for edition in wanted:
        build(edition, chosen.out.resolve() / edition)
    write_front(chosen.out, wanted)


if __name__ == "__main__":
    main()
