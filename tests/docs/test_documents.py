"""What the documents say is run: the quick start, every TOML block, every command and option."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from kdaudit.cli.app import app
from kdaudit.data.audit_file import AuditFile, parse
from kdaudit.distill.language.recipe import LanguageRecipe
from kdaudit.distill.recipe import Recipe

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES += sorted((ROOT / "examples").glob("*/README.md"))
BLOCK = re.compile(
    r"(?:<!-- test: (?P<mark>[^>]+) -->\n)?```(?P<kind>\w+)\n(?P<body>.*?)```", re.DOTALL
)


def blocks(page: Path) -> list[dict[str, str]]:
    return [match.groupdict() for match in BLOCK.finditer(page.read_text("utf-8"))]


def marked(mark: str, page: Path = PAGES[0]) -> str:
    (body,) = [b["body"] for b in blocks(page) if b["mark"] == mark]
    return body


def test_the_quick_start_of_the_readme_gives_the_exit_code_it_states(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", marked("quickstart")], cwd=tmp_path, check=True)
    (tmp_path / "audit.toml").write_text(marked("audit.toml"), "utf-8")
    (stated,) = [b["mark"] for b in blocks(PAGES[0]) if (b["mark"] or "").startswith("exits")]
    command = [sys.executable, "-m", *marked(stated).split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == int(stated.split()[1]), done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    last = done.stdout.splitlines()[-1]
    assert last == "FAIL card: kdaudit-out/first-audit/card.html"
    assert (tmp_path / last.rpartition("card: ")[2]).exists()
    notebook = subprocess.run(
        [sys.executable, "-c", marked("notebook")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Tango score" in notebook.stdout


def test_the_smallest_recipe_trains_and_is_audited_as_the_page_says(tmp_path: Path) -> None:
    for name in ("audit.toml", "model.py", "teacher.toml", "student.toml"):
        (tmp_path / name).write_text(marked(name, ROOT / "docs" / "recipes.md"), "utf-8")
    for command, code, last in (
        (("distill", "student.toml"), 0, "model folder: runs/student"),
        (("run", "audit.toml"), 0, "PASS card: kdaudit-out/iris/card.html"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "kdaudit", *command],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert done.stdout.splitlines()[-1] == last


def test_the_commands_of_their_page_run_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kdaudit: Callable[..., Any]
) -> None:
    monkeypatch.delenv("KDAUDIT_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-c", marked("quickstart")], cwd=tmp_path, check=True)
    contract = marked("audit.toml")
    (tmp_path / "audit.toml").write_text(contract, "utf-8")
    (tmp_path / "strict.toml").write_text(contract.replace("0.03", "0.02"), "utf-8")
    page = ROOT / "docs" / "commands.md"
    lines = [line for b in blocks(page) if b["kind"] == "sh" for line in b["body"].splitlines()]
    expected = {"power": 0, "lock": 0, "run": 1, "gate": 1}
    for line in lines:
        if "results.json" in line:
            shutil.copy("kdaudit-out/first-audit/results.json", "results.json")
        words = line.replace("NAME", "first-audit").split()[1:]
        said = kdaudit(*words)
        assert said.code == expected[words[0]], (line, said.out, said.err)
    assert {line.split()[1] for line in lines} == set(expected)


def test_the_drill_of_its_page_ends_on_the_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kdaudit: Callable[..., Any]
) -> None:
    monkeypatch.delenv("KDAUDIT_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("kdaudit.drill.derive.SIZES", (0.1,))  # half of the time is enough
    subprocess.run([sys.executable, "-c", marked("quickstart")], cwd=tmp_path, check=True)
    (tmp_path / "audit.toml").write_text(marked("audit.toml"), "utf-8")
    (block,) = [b["body"] for b in blocks(ROOT / "docs" / "drill.md") if b["kind"] == "sh"]
    audit, drill = (line.split()[1:] for line in block.splitlines())
    assert kdaudit(*audit).code == 1
    said = kdaudit(*drill, "--replicates", "30")
    assert said.code == 0, said.err
    card = Path("kdaudit-out/first-audit/card.html").read_text("utf-8")
    assert "What this audit could have seen" in card


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_toml_block_is_a_valid_audit_file_or_recipe_or_part_of_one(page: Path) -> None:
    for block in blocks(page):
        if block["kind"] != "toml":
            continue
        raw = tomllib.loads(block["body"])
        if "language" in raw:
            parse(raw, LanguageRecipe, page.name)
        elif "objectives" in raw:
            rest = {"audit": "audit.toml", "student": {"factory": "model:perceptron"}}
            parse(rest | raw, Recipe, page.name)
        elif "project" not in raw:
            whole = {
                "audit": {"name": "x"},
                "data": {"path": "d.csv", "label": "y"},
                "teacher": {"predictions": "t.csv"},
                "student": {"predictions": "s.csv"},
            }
            if "students" in raw:
                del whole["student"]
            data = {"data": whole["data"] | raw.get("data", {})}
            parse(whole | raw | data, AuditFile, page.name)


def test_every_command_and_option_in_the_documents_exists() -> None:
    group = get_command(app)
    commands = getattr(group, "commands")  # noqa: B009  # a click group
    seen = set()
    for page in PAGES:
        for name, rest in re.findall(
            r"kdaudit ([a-z]+)((?: --?[a-z-]+)*)", page.read_text("utf-8")
        ):
            if name not in commands and not rest:
                continue  # a sentence, such as "kdaudit distils"
            assert name in commands, f"{page.name}: kdaudit {name}"
            options = {o for p in commands[name].params for o in p.opts}
            assert set(rest.split()) <= options, f"{page.name}: kdaudit {name}{rest}"
            seen.add(name)
    assert {"run", "distill", "card", "suites", "schema", "init"} <= seen


def test_every_command_and_option_is_documented() -> None:
    commands = getattr(get_command(app), "commands")  # noqa: B009  # a click group
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    assert len(commands) >= 10
    for name, command in commands.items():
        assert f"kdaudit {name}" in text, name
        for parameter in command.params:
            options = [o for o in parameter.opts if o.startswith("-") and o != "--help"]
            assert not options or any(f"`{o}`" in text or f" {o} " in text for o in options), (
                f"kdaudit {name} {options}"
            )


def test_links_between_documents_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
