"""The audit file is checked key by key, and the first mistake is one sentence."""

import tomllib
from pathlib import Path

import pytest

from kdaudit.data.audit_file import AuditFile, parse, read_audit_file
from kdaudit.errors import ConfigError

GOOD = """
[audit]
name = "a"
[data]
path = "d.csv"
label = "label"
[teacher]
predictions = "t.csv"
[student]
predictions = "s.csv"
"""


def said(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(tomllib.loads(text), AuditFile, "audit.toml")
    return str(caught.value)


def test_a_short_file_is_a_whole_one() -> None:
    made = parse(tomllib.loads(GOOD), AuditFile, "audit.toml")
    assert (made.audit.seed, made.audit.alpha, made.data.label_source) == (0, 0.05, None)
    assert made.student is not None
    assert made.student.options == {"predictions": "s.csv"}
    assert made.contract == ()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[audit]", "[audti]", ["'audti'", "Did you mean 'audit'"]),
        ('name = "a"', 'nam = "a"', ["audit", "'nam'", "Did you mean 'name'"]),
        ('name = "a"', "", ["audit.name is missing"]),
        ('name = "a"', 'name = "a/b"', ["audit.name", "'a/b'"]),
        ('name = "a"', 'name = ".."', ["audit.name", "'..'"]),
        ('name = "a"', 'name = "a"\nformat = 2', ["audit.format", "got 2"]),
        ('name = "a"', 'name = "a"\nseed = -1', ["audit.seed", "got -1"]),
        ('name = "a"', 'name = "a"\nseed = 1.5', ["audit.seed", "got 1.5"]),
        ('name = "a"', 'name = "a"\nalpha = 0.5', ["audit.alpha", "less than 0.5"]),
        ('name = "a"', 'name = "a"\nalpha = nan', ["audit.alpha", "nan"]),
        ('label = "label"', "label = 3", ["data.label", "got 3"]),
        ('label = "label"', 'label = "label"\nlabel_source = "x"', ["data.label_source"]),
        ('"s.csv"', '"s.csv"\nthreshold = 1.0', ["student.threshold", "less than 1"]),
        ('"s.csv"', '"s.csv"\nrename = 3', ["student.rename"]),
        ('"s.csv"', '"s.csv"\ncontrol = "hard"', ["a control can only be the [baseline]"]),
        ('"s.csv"', '"s.csv"\n[baseline]\ncontrol = "hard"', ["say of which recipe"]),
        (
            '"s.csv"',
            '"s.csv"\n[policy.pr]\ninconclusve = "warn"',
            ["'inconclusve'", "inconclusive"],
        ),
        ('"s.csv"', '"s.csv"\n[policy.pr]\ninconclusive = "pass"', ["policy.pr.inconclusive"]),
        ('"s.csv"', '"s.csv"\n[card]\nowners = "x"', ["'owners'", "Did you mean 'owner'"]),
        ('"s.csv"', '"s.csv"\n[[contract]]\ncheck = "A"\nmargin = "x"', ["contract number 1"]),
        ('"s.csv"', '"s.csv"\n[suites]\ncalibration = 3', ["suites.calibration"]),
    ],
)
def test_a_mistake_is_one_sentence_that_names_it(old: str, new: str, words: list[str]) -> None:
    sentence = said(GOOD.replace(old, new))
    assert sentence.startswith("audit.toml: ")
    assert "\n" not in sentence
    for word in words:
        assert word in sentence, sentence


def test_one_name_may_stand_for_a_list_of_one() -> None:
    text = GOOD.replace('label = "label"', 'label = "label"\nslices = "channel"')
    made = parse(tomllib.loads(text), AuditFile, "audit.toml")
    assert made.data.slices == ("channel",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[audit", "is not TOML: "),
        (b"\xff\xfe[", r"is not UTF-8 \(byte 0\); save it as UTF-8"),
        (b"", "audit is missing"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "audit.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=rf"audit\.toml.*{words}"):
        read_audit_file(tmp_path / "audit.toml")


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no audit file .*x\.toml; `kdaudit init`"):
        read_audit_file(tmp_path / "x.toml")
    with pytest.raises(ConfigError, match="is a folder; name the audit file in it"):
        read_audit_file(tmp_path)
