"""The shape of the package: what the folders promise and import-linter cannot see."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "datainf"
TESTS = ROOT / "tests"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
OPTIONAL = {
    re.split(r"[^A-Za-z0-9_-]", requirement)[0]
    for extra in ("diffusion", "quantized", "ui")
    for requirement in PROJECT["project"]["optional-dependencies"][extra]
}
CONTRACTS = PROJECT["tool"]["importlinter"]["contracts"]
SOURCES = sorted(PACKAGE.rglob("*.py"))
TEST_FILES = sorted(TESTS.rglob("test_*.py"))
LONGEST_FILE = 400

# Files with code whose tests stand elsewhere, each with the reason.
NOT_MIRRORED = {
    "__init__.py": "the public names: test_public_api.py",
    "__about__.py": "one string: scripts/check_changelog.py",
    "__main__.py": "one call of the command line: tests/cli",
}
# Distributions whose import name is another.
IMPORT_NAMES = {"pillow": "PIL", "pyyaml": "yaml"}
# Libraries that one layer or file alone may import (H19), relative to the package.
HOMES = {
    "plotly": "reports/plots.py",
    "diffusers": "integrations/diffusion/pipelines.py",
    "gradio": "reports/web_app.py",
}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def has_code(path: Path) -> bool:
    """Whether a file holds more than its docstring, imports and `__all__`."""
    return any(
        not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr)
        and not (isinstance(node, ast.Assign) and "__all__" in ast.unparse(node))
        for node in tree_of(path).body
    )


def imported(path: Path) -> Iterator[str]:
    """Every absolute module name that a file imports, at any depth."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def test_every_source_file_has_its_test_file() -> None:
    missing = []
    for path in SOURCES:
        inside = path.relative_to(PACKAGE)
        if inside.as_posix() in NOT_MIRRORED or not has_code(path):
            continue
        # A folder that is a module of its own is tested by its name.
        stem = inside.parent.name if inside.name == "__init__.py" else inside.stem
        mirror = TESTS / inside.parent / f"test_{stem.lstrip('_')}.py"
        if not mirror.is_file():
            missing.append(f"{name_of(path)} needs {name_of(mirror)}")
    assert not missing, "\n".join(missing)


def test_no_exception_from_the_mirror_is_stale() -> None:
    assert [name for name in NOT_MIRRORED if not (PACKAGE / name).is_file()] == []


def test_no_file_is_longer_than_the_ceiling() -> None:
    files = [*SOURCES, *sorted(TESTS.rglob("*.py"))]
    sizes = {name_of(p): len(p.read_bytes().splitlines()) for p in files}
    assert {name: n for name, n in sizes.items() if n > LONGEST_FILE} == {}


def test_no_file_has_a_name_that_says_nothing() -> None:
    empty = {"utils", "util", "helpers", "misc", "common"}
    assert [name_of(p) for p in SOURCES if p.stem in empty] == []


def test_no_file_repeats_the_name_of_its_folder_or_of_a_standard_module() -> None:
    bad = [
        name_of(path)
        for path in SOURCES
        if path.stem == path.parent.name
        or (path.stem in sys.stdlib_module_names and path.stem != "__main__")
    ]
    assert bad == []


def test_every_folder_is_placed_in_a_layer() -> None:
    (layers,) = [c for c in CONTRACTS if c["type"] == "layers"]
    placed = {name.strip() for row in layers["layers"] for name in row.split("|")}
    parts = {p.relative_to(PACKAGE).parts[0].removesuffix(".py") for p in SOURCES}
    assert parts - {"__init__"} == placed | set(layers["exhaustive_ignores"])
    assert layers["exhaustive"] is True


def test_the_import_contracts_are_there() -> None:
    assert {(c["name"], c["type"]) for c in CONTRACTS} == {
        ("Layers: imports point down; siblings do not know each other", "layers"),
        ("Model libraries only at the edge", "forbidden"),
        ("Upper layers reach model libraries through integrations", "forbidden"),
        ("Metrics and reports need no torch", "forbidden"),
        ("Estimators do not import each other", "independence"),
    }


def test_every_estimator_of_the_table_is_under_the_independence_contract() -> None:
    (contract,) = [c for c in CONTRACTS if c["type"] == "independence"]
    listed = {name.rpartition(".")[2] for name in contract["modules"]}
    methods = {
        path.stem
        for path in (PACKAGE / "estimators").glob("*.py")
        if any(
            isinstance(node, ast.ClassDef)
            and any(ast.unparse(base) == "Estimator" for base in node.bases)
            for node in tree_of(path).body
        )
    }
    methods.remove("auto")  # whose work is to choose among the others
    assert methods <= listed, f"not under the contract: {sorted(methods - listed)}"


def test_every_imported_library_is_a_declared_dependency() -> None:
    declared = {
        re.split(r"[^A-Za-z0-9_-]", requirement)[0].lower()
        for requirement in PROJECT["project"]["dependencies"]
    }
    allowed = {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in declared}
    allowed |= set(sys.stdlib_module_names) | {"datainf"}
    # Of an extra, which need not be installed, one file knows what to say without it.
    allowed |= {name for name in HOMES if name in OPTIONAL}
    found = {
        f"{name_of(path)}: {module}"
        for path in SOURCES
        for module in imported(path)
        if module.partition(".")[0] not in allowed
    }
    assert sorted(found) == []


@pytest.mark.parametrize("library", HOMES)
def test_a_library_with_one_home_is_imported_there_alone(library: str) -> None:
    users = {
        path.relative_to(PACKAGE).as_posix()
        for path in SOURCES
        if library in {module.partition(".")[0] for module in imported(path)}
    }
    assert users <= {HOMES[library]}


# --- a parametrised test reads its parameters ---------------------------------------


def functions_that_test(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            yield node


def parametrised(test: ast.FunctionDef) -> Iterator[str]:
    """The names that a test's `parametrize` marks give it."""
    for mark in test.decorator_list:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func).endswith(
            ".parametrize"
        ):
            names = mark.args[0]
            if isinstance(names, ast.Constant):
                yield from (n.strip() for n in str(names.value).split(",") if n.strip())
            elif isinstance(names, ast.Tuple | ast.List):
                yield from (ast.literal_eval(name) for name in names.elts)


def uses(test: ast.FunctionDef, context: type[ast.expr_context]) -> set[str]:
    """The names that a test's body reads (`ast.Load`) or binds (`ast.Store`)."""
    nodes = (node for line in test.body for node in ast.walk(line))
    return {
        node.id
        for node in nodes
        if isinstance(node, ast.Name) and isinstance(node.ctx, context)
    }


def never_read(test: ast.FunctionDef) -> set[str]:
    return set(parametrised(test)) - uses(test, ast.Load)


@pytest.mark.parametrize("path", TEST_FILES, ids=name_of)
def test_every_parametrised_name_is_read(path: Path) -> None:
    ignored = {
        test.name: names
        for test in functions_that_test(tree_of(path))
        if (names := never_read(test))
    }
    assert ignored == {}


def test_the_parameter_check_sees_an_ignored_and_an_overwritten_name() -> None:
    source = """
@pytest.mark.parametrize("size, unused", [(1, 2)])
@pytest.mark.parametrize(["rank"], [(3,)])
def test_example(size, unused, rank):
    rank = 4
    assert size
"""
    (test,) = functions_that_test(ast.parse(source))
    assert never_read(test) == {"unused", "rank"}
    assert uses(test, ast.Store) == {"rank"}


def test_one_file_alone_knows_of_torch_distributed() -> None:
    texts = {name_of(path): path.read_text(encoding="utf-8") for path in SOURCES}
    users = [name for name, text in texts.items() if "torch.distributed" in text]
    assert users == ["src/datainf/integrations/ranks.py"]
