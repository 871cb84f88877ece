"""The shape of the code: what no linter measures is measured here."""

import ast
import functools
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path for package in ("robson", "robsonctl") for path in (ROOT / package).rglob("*.py"))
PURE = [path for path in MODULES if path.relative_to(ROOT).parts[:2] in {("robson", "domain"), ("robson", "engine")}]
EXACT = [*PURE, *(path for path in MODULES if path.relative_to(ROOT).parts[:3] == ("robson", "venue", "ledger"))]

LINES_IN_A_FILE = 300
LINES_IN_A_FUNCTION = 60
EMPTY_WORDS = re.compile(r"(?i:manager|handler|helper|util|info|data)s?")
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

# What the pure packages may import: nothing here reads a clock, a disk, a network or a random source.
CALM = {
    *("__future__", "abc", "bisect", "collections", "dataclasses", "datetime", "decimal", "enum", "fractions"),
    *("functools", "hashlib", "heapq", "itertools", "math", "msgspec", "operator", "re", "string", "types", "typing"),
}
CLOCKS_AND_DOORS = {"now", "utcnow", "today", "open", "input", "print", "eval", "exec", "__import__"}

# Written in two halves, so that this file does not name them itself.
HOSTS = ["pypi" + ".org", "python" + "hosted.org", "npm" + "js.org", "deb.deb" + "ian.org"]
MACHINE = re.compile("|".join([*map(re.escape, HOSTS), r"(?<![\w.$}~-])/(?:work|root)" + "/"]))


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def name(path: Path, node: ast.AST | None = None) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


def imports(path: Path) -> Iterator[tuple[ast.AST, str]]:
    """Every imported name of a module, in full: `from a.b import c` is `a.b.c`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node, f"{'.' * node.level}{node.module or ''}.{alias.name}") for alias in node.names)


def below(imported: str, *packages: str) -> bool:
    return any(imported == package or imported.startswith(package + ".") for package in packages)


def texts() -> Iterator[tuple[Path, str]]:
    """The files of the repository that are text; without git (an exported tree), those of the source folders."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        paths = [ROOT / line for line in listed.stdout.decode().split("\0") if line]
    else:
        folders = [ROOT / folder for folder in (".ci", "docs", "packaging", "robson", "robsonctl", "tests")]
        paths = [path for folder in folders for path in folder.rglob("*") if "__pycache__" not in path.parts]
        paths += [
            path for path in ROOT.iterdir() if path.suffix in {".md", ".toml", ".lock"} or path.name == "Makefile"
        ]
    for path in paths:
        if path.is_file():
            content = path.read_bytes()
            if b"\0" not in content:
                yield path, content.decode("utf-8", "replace")


def test_modules_were_found() -> None:
    assert ROOT / "robson" / "__init__.py" in MODULES
    assert ROOT / "robsonctl" / "__init__.py" in MODULES
    assert PURE


def test_every_module_opens_with_a_docstring_of_one_sentence() -> None:
    """What needs more room may follow after a blank line; the first paragraph is the one sentence."""
    wrong = []
    for path in [*MODULES, *(ROOT / "packaging").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]:
        sentence = (ast.get_docstring(tree(path)) or "").partition("\n\n")[0]
        if not sentence.endswith((".", ":")) or re.search(r"[.!?]\s+[A-Z]", sentence):
            wrong.append(f"{name(path)} {sentence!r}")
    assert not wrong


def test_no_file_is_too_long() -> None:
    sizes = {name(path): path.read_text("utf-8").count("\n") for path in MODULES}
    assert not {path: lines for path, lines in sizes.items() if lines > LINES_IN_A_FILE}


def test_no_function_is_too_long() -> None:
    sizes = {
        f"{name(path, node)} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path in MODULES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert not {function: lines for function, lines in sizes.items() if lines > LINES_IN_A_FUNCTION}


def test_names_are_in_the_terms_of_the_field() -> None:
    named = [(name(path), path.stem if path.stem != "__init__" else path.parent.name) for path in MODULES]
    named += [
        (name(path, node), node.name)
        for path in MODULES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef)
    ]
    assert not [f"{where} {said}" for where, said in named if any(map(EMPTY_WORDS.fullmatch, WORD.findall(said)))]


def test_empty_words_are_seen_in_either_spelling() -> None:
    def empty(said: str) -> bool:
        return any(map(EMPTY_WORDS.fullmatch, WORD.findall(said)))

    assert all(map(empty, ("OrderHandler", "json_utils", "FeedInfo", "HTTPManager")))
    assert not any(map(empty, ("Database", "utility", "metadata", "Information")))


def test_every_exception_from_a_rule_of_security_has_its_reason() -> None:
    bare = re.compile(r"# noqa: [A-Z0-9, ]*\bS\d+[A-Z0-9, ]*$")
    lines = ((path, line) for path in MODULES for line in path.read_text("utf-8").splitlines())
    assert not [f"{name(path)} {line.strip()}" for path, line in lines if bare.search(line)]


def test_robsonctl_imports_the_protocol_the_domain_and_the_drawing_only() -> None:
    """And the version, which is the package's, not the daemon's."""
    allowed = ("robson.protocol", "robson.domain", "robson.drawing", "robson.__version__")
    client = [path for path in MODULES if path.is_relative_to(ROOT / "robsonctl")]
    used = [(path, node, imported) for path in client for node, imported in imports(path) if imported != "robson"]
    used += [
        (path, node, f"robson.{node.attr}")
        for path in client
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "robson"
    ]
    assert not [
        f"{name(path, node)} {imported}"
        for path, node, imported in used
        if below(imported, "robson") and not below(imported, *allowed)
    ]


def test_domain_and_engine_import_nothing_that_acts() -> None:
    wrong = []
    for path in PURE:
        own = (
            ("robson.domain",)
            if path.is_relative_to(ROOT / "robson" / "domain")
            else ("robson.domain", "robson.engine")
        )
        wrong += [
            f"{name(path, node)} {imported}"
            for node, imported in imports(path)
            if imported.partition(".")[0] not in CALM and not below(imported, *own)
        ]
    assert not wrong


def test_domain_and_engine_ask_nobody_for_the_time_and_open_nothing() -> None:
    assert not [
        f"{name(path, node)} {called}"
        for path in PURE
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and (called := getattr(node.func, "attr", getattr(node.func, "id", ""))) in CLOCKS_AND_DOORS
    ]


def test_money_is_never_a_float() -> None:
    """A length of time in seconds may be one."""
    wrong = []
    for path in EXACT:
        seconds = {
            id(node.annotation)
            for node in ast.walk(tree(path))
            if (isinstance(node, ast.arg) and node.arg.endswith("_seconds"))
            or (isinstance(node, ast.AnnAssign) and ast.unparse(node.target).endswith("_seconds"))
        }
        wrong += [
            name(path, node)
            for node in ast.walk(tree(path))
            if (isinstance(node, ast.Name) and node.id == "float" and id(node) not in seconds)
            or (isinstance(node, ast.Constant) and isinstance(node.value, float))
        ]
    assert not wrong


def test_no_file_names_a_registry_host_or_a_path_of_one_machine() -> None:
    assert not [f"{name(path)} {found.group()}" for path, content in texts() if (found := MACHINE.search(content))]
