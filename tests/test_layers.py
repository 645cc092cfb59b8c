"""Imports point one way, and the folders are the architecture (DESIGN §2)."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {
    "kdaudit": ROOT / "kdaudit",
    "kdaudit_suites": ROOT / "suites" / "kdaudit_suites",
    "kdaudit_reports": ROOT / "reports" / "kdaudit_reports",
}


def modules() -> dict[str, Path]:
    found = {}
    for package, folder in PACKAGES.items():
        for path in folder.rglob("*.py"):
            parts = path.relative_to(folder).with_suffix("").parts
            found[".".join([package, *parts]).removesuffix(".__init__")] = path
    return found


MODULES = modules()


def within(package: str) -> dict[str, Path]:
    """The modules of a package; a test of none would pass on nothing."""
    found = {
        name: path
        for name, path in MODULES.items()
        if name == package or name.startswith(f"{package}.")
    }
    assert found, f"no Python under {package}; this test would pass on nothing"
    return found


def imported(path: Path, *, at_run_time: bool = False) -> Iterator[str]:
    """Dotted names a file imports, wherever in it; or only those that importing it imports."""
    tree = ast.parse(path.read_text("utf-8"))
    nodes = list(_top_level(tree)) if at_run_time else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in MODULES else str(node.module)


def _top_level(tree: ast.Module) -> Iterator[ast.stmt]:
    for node in tree.body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node


def covered(name: str, allowed: set[str]) -> bool:
    return any(name == one or name.startswith(f"{one}.") for one in allowed)


OURS = {"kdaudit", "kdaudit_suites", "kdaudit_reports"}

ALLOWED: dict[str, set[str]] = {
    # Suites: the core's types and statistics, and nobody else's suite.
    "kdaudit_suites": {
        "kdaudit.basis",
        "kdaudit.claims",
        "kdaudit.corrected",
        "kdaudit.errors",
        "kdaudit.estimate",
        "kdaudit.evidence.benchmark_tasks",
        "kdaudit.evidence.kinds",
        "kdaudit.evidence.marks",
        "kdaudit.evidence.noise",
        "kdaudit.evidence.prices",
        "kdaudit.evidence.serving",
        "kdaudit.evidence.view",
        "kdaudit.grading",
        "kdaudit.measure",
        "kdaudit.quantities",
        "kdaudit.results",
        "kdaudit.score_bases",
        "kdaudit.scores",
        "kdaudit.shares",
        "kdaudit.stats",
        "kdaudit.transfer",
        "kdaudit_suites",  # of itself: see below
    },
    # Reports: the core's types only.
    "kdaudit_reports": {
        "kdaudit.drill.drilled",
        "kdaudit.errors",
        "kdaudit.estimate",
        "kdaudit.lineage",
        "kdaudit.results",
        "kdaudit.run",
        "kdaudit_reports",
    },
    # Inside the core, from the bottom up.
    "kdaudit.estimate": set(),
    "kdaudit.energy": set(),
    "kdaudit.errors": set(),
    "kdaudit.progress": set(),
    "kdaudit.stats": {"kdaudit.stats"},
    "kdaudit.grading": {"kdaudit.grading"},
    "kdaudit.governance": {"kdaudit.errors", "kdaudit.governance"},
    "kdaudit.results": {
        "kdaudit.errors",
        "kdaudit.estimate",
        "kdaudit.evidence.view",
        "kdaudit.stats.dependence",
        "kdaudit.stats.least_ratio",
    },
    "kdaudit.lineage": {"kdaudit.results"},
    "kdaudit.drill.drilled": {"kdaudit.estimate", "kdaudit.results"},
    "kdaudit.run": {"kdaudit.drill.drilled", "kdaudit.lineage", "kdaudit.results"},
    "kdaudit.basis": {"kdaudit.estimate", "kdaudit.results", "kdaudit.stats"},
    "kdaudit.claims": {
        "kdaudit.basis",
        "kdaudit.estimate",
        "kdaudit.results",
        "kdaudit.stats",
    },
    "kdaudit.transfer": {
        "kdaudit.basis",
        "kdaudit.estimate",
        "kdaudit.results",
        "kdaudit.stats",
    },
    "kdaudit.needed": {
        "kdaudit.basis",
        "kdaudit.claims",
        "kdaudit.estimate",
        "kdaudit.results",
        "kdaudit.stats",
    },
    "kdaudit.exceeded": {"kdaudit.estimate", "kdaudit.results", "kdaudit.stats"},
    "kdaudit.contract": {
        "kdaudit.basis",
        "kdaudit.claims",
        "kdaudit.errors",
        "kdaudit.estimate",
        "kdaudit.exceeded",
        "kdaudit.needed",
        "kdaudit.results",
        "kdaudit.stats",
    },
    "kdaudit.limitations": {
        "kdaudit.basis",
        "kdaudit.claims",
        "kdaudit.contract",
        "kdaudit.estimate",
        "kdaudit.results",
        "kdaudit.stats",
    },
    "kdaudit.drill": {
        "kdaudit.contract",
        "kdaudit.drill",
        "kdaudit.drill.drilled",
        "kdaudit.errors",
        "kdaudit.estimate",
        "kdaudit.evidence.kinds",
        "kdaudit.evidence.labels",
        "kdaudit.evidence.serving",
        "kdaudit.evidence.view",
        "kdaudit.progress",
        "kdaudit.printed",
        "kdaudit.results",
        "kdaudit.stats",
    },
    "kdaudit.scores": {
        "kdaudit.basis",
        "kdaudit.estimate",
        "kdaudit.evidence.kinds",
        "kdaudit.evidence.partly_labelled",
        "kdaudit.evidence.view",
        "kdaudit.results",
    },
    "kdaudit.score_bases": {
        "kdaudit.basis",
        "kdaudit.estimate",
        "kdaudit.evidence.kinds",
        "kdaudit.evidence.view",
        "kdaudit.results",
        "kdaudit.scores",
        "kdaudit.stats",
    },
    "kdaudit.folded_scores": {
        "kdaudit.basis",
        "kdaudit.estimate",
        "kdaudit.evidence.kinds",
        "kdaudit.evidence.view",
        "kdaudit.results",
        "kdaudit.score_bases",
        "kdaudit.scores",
        "kdaudit.stats",
    },
    "kdaudit.measure": {
        "kdaudit.basis",
        "kdaudit.estimate",
        "kdaudit.evidence.kinds",
        "kdaudit.evidence.view",
        "kdaudit.results",
        "kdaudit.folded_scores",
        "kdaudit.score_bases",
        "kdaudit.scores",
    },
    "kdaudit.shares": {
        "kdaudit.basis",
        "kdaudit.estimate",
        "kdaudit.evidence.kinds",
        "kdaudit.evidence.view",
        "kdaudit.results",
        "kdaudit.measure",
        "kdaudit.scores",
    },
    "kdaudit.corrected": {"kdaudit.evidence.kinds", "kdaudit.results", "kdaudit.stats"},
    "kdaudit.sampled": {"kdaudit.estimate", "kdaudit.evidence.view", "kdaudit.results"},
    "kdaudit.quantities": {"kdaudit.estimate", "kdaudit.results"},
    "kdaudit.data": {
        "kdaudit.data",
        "kdaudit.errors",
        "kdaudit.evidence.kinds",
        "kdaudit.evidence.view",
        "kdaudit.governance",
        "kdaudit.models.adapter",
        "kdaudit.results",
        "kdaudit.stats.random",
        "kdaudit.stats.spending",
    },
    "kdaudit.models": {
        "kdaudit.data",
        "kdaudit.errors",
        "kdaudit.evidence.kinds",
        "kdaudit.evidence.store",  # a GGUF file is converted into it
        "kdaudit.governance",
        "kdaudit.lineage",
        "kdaudit.models",
        "kdaudit.registry",
    },
    "kdaudit.evidence": {
        "kdaudit.data",
        "kdaudit.energy",
        "kdaudit.errors",
        "kdaudit.estimate",
        "kdaudit.evidence",
        "kdaudit.governance",
        "kdaudit.models.adapter",
        "kdaudit.progress",
        "kdaudit.results",
        "kdaudit.stats",
    },
    "kdaudit.distill": {
        "kdaudit.data",
        "kdaudit.distill",
        "kdaudit.energy",
        "kdaudit.errors",
        "kdaudit.evidence",
        "kdaudit.governance",
        "kdaudit.language",
        "kdaudit.lineage",
        "kdaudit.models",
        "kdaudit.progress",
        "kdaudit.results",
        "kdaudit.stats",
    },
}
EXCEPTIONS = {
    # Fixing the threads of PyTorch around a timing needs PyTorch.
    ("kdaudit.evidence.timings", "kdaudit.models.torch"),
}


@pytest.mark.parametrize("package", ALLOWED)
def test_a_layer_imports_only_what_lies_below_it(package: str) -> None:
    for name, path in within(package).items():
        for target in imported(path):
            if target.partition(".")[0] not in OURS or (name, target) in EXCEPTIONS:
                continue
            assert covered(target, ALLOWED[package]), f"{name} imports {target}"


def test_suites_do_not_know_each_other() -> None:
    for name, path in within("kdaudit_suites").items():
        own = ".".join(name.split(".")[:2])  # a suite may be a folder
        others = {
            t for t in imported(path) if t.startswith("kdaudit_suites") and not covered(t, {own})
        }
        assert not others, f"{name} imports {others}"


def test_the_core_names_no_suite_and_no_report() -> None:
    for name, path in within("kdaudit").items():
        for target in imported(path):
            assert target.partition(".")[0] not in OURS - {"kdaudit"}, f"{name} imports {target}"


def test_nothing_imports_the_command_line() -> None:
    for name, path in {**within("kdaudit"), **within("kdaudit_suites")}.items():
        if not name.startswith(("kdaudit.cli", "kdaudit.__main__")):
            assert not any(t.startswith("kdaudit.cli") for t in imported(path)), name


TOUCHES_THE_WORLD = {
    "datetime",
    "importlib.resources",
    "io",
    "numpy",
    "os",
    "pandas",
    "pathlib",
    "pyarrow",
    "random",
    "shutil",
    "socket",
    "subprocess",
    "tempfile",
    "time",
    "torch",
}


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("kdaudit_reports", TOUCHES_THE_WORLD),
        ("kdaudit_suites", TOUCHES_THE_WORLD - {"numpy"} | {"jinja2", "rich", "typer"}),
        ("kdaudit.stats", TOUCHES_THE_WORLD - {"numpy"}),
    ],
)
def test_reports_suites_and_statistics_touch_neither_disk_nor_clock(
    package: str, forbidden: set[str]
) -> None:
    for name, path in within(package).items():
        found = {t for t in imported(path) if covered(t, forbidden)}
        assert not found, f"{name} imports {found}"
        calls = {
            node.func.id
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not calls & {"open", "print", "eval", "exec", "input"}, name


def test_no_module_imports_itself_through_others() -> None:
    graph = {
        name: {t for t in imported(path, at_run_time=True) if t in MODULES}
        for name, path in MODULES.items()
    }
    assert sum(map(len, graph.values())) > 100
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"imports go in a circle: {' -> '.join(error.args[1])}")


def test_models_do_not_know_what_a_teacher_is() -> None:
    for name, path in within("kdaudit.models").items():
        names = {
            found
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            for found in (
                getattr(node, "id", ""),
                getattr(node, "attr", ""),
                getattr(node, "arg", ""),
                getattr(node, "name", ""),
            )
            if isinstance(found, str)
        }
        assert not names & {"teacher", "student", "baseline"}, name


def test_every_package_says_that_it_is_typed() -> None:
    for folder in PACKAGES.values():
        assert (folder / "py.typed").exists(), folder
