"""Grading by rule: what counts as right, wrong, declined and cut off."""

import pytest

from kdaudit.grading.abstention import declines, denies
from kdaudit.grading.content import content
from kdaudit.grading.grade import Grade
from kdaudit.grading.judged import read_letter, related
from kdaudit.grading.sentences import sentences
from kdaudit.grading.short_answer import ShortAnswer
from kdaudit.grading.support import unsupported

RIGHT, WRONG, NONE, CUT = Grade


@pytest.mark.parametrize(
    ("text", "answers", "expected"),
    [
        ("Paris", ["Paris"], RIGHT),
        ("The capital of France is PARIS, of course.", ["Paris"], RIGHT),
        ("New York City", ["NYC", "New York"], RIGHT),
        ("In nineteen twelve? No: 1,912 people.", ["1912"], RIGHT),
        ("I'm not sure, but I think Paris.", ["Paris"], RIGHT),
        ("Not Paris.", ["Paris"], WRONG),
        ("It isn't Paris, it is Lyon.", ["Paris"], WRONG),
        ("Parisian food", ["Paris"], WRONG),
        ("Lyon", ["Paris"], WRONG),
        ("I don't know if it is Paris.", ["Paris"], NONE),
        ("I do not know.", ["Paris"], NONE),
        ("Unknown", ["Paris"], NONE),
        ("", ["Paris"], NONE),
        ("...", ["Paris"], NONE),
        # Of a question that has an answer, denying it is wrong; of one that has none, it is right.
        ("There is no such country.", ["Paris"], WRONG),
        ("There is no such country.", [], NONE),
        ("Newton never played football.", [], NONE),
        ("I could not find any record of it.", [], NONE),
        ("Its capital is Poseidonis.", [], WRONG),
    ],
)
def test_the_default_grader(text: str, answers: list[str], expected: Grade) -> None:
    assert ShortAnswer().grade(text, answers, truncated=False) is expected


@pytest.mark.parametrize(
    ("truth", "text", "expected"),
    [
        ("A", "A", RIGHT),
        ("A", "(A)", RIGHT),
        ("A", "The answer is A.", RIGHT),
        ("A", "A is right, since it rains.", RIGHT),
        ("A", "A) Paris", RIGHT),
        ("A", "A train from Paris", WRONG),
        ("A", "B", WRONG),
        ("B", "A", WRONG),
        ("A", "not A but B", WRONG),
        ("Hepatitis A", "Hepatitis B", WRONG),
        ("Hepatitis A", "It is hepatitis A, mostly.", RIGHT),
        ("Vitamin A", "Vitamin C", WRONG),
        ("A Tale of Two Cities", "It was *Tale of Two Cities*.", RIGHT),
        ("C++", "C", WRONG),
        ("C++", "C#", WRONG),
        ("C++", "He wrote it in **C++**.", RIGHT),
        ("F#", "F", WRONG),
        ("A*", "A", WRONG),
        ("Na+", "Na-", WRONG),
        ("Na+", "the ion Na+ itself", RIGHT),
        ("Ca2+", "Ca", WRONG),
        ("v1.10", "v1.1", WRONG),
        ("-1", "1", WRONG),
        ("1,2-dichloroethane", "1,3-dichloroethane", WRONG),
        ("1,250", "1250", RIGHT),
        ("+", "The sign is +.", RIGHT),
        ("-", "+", WRONG),
        ("$", "$", RIGHT),
        ("an", "an", RIGHT),
        ("Paris", "*Paris*", RIGHT),
        ("Paris", "Paris - of course", RIGHT),
    ],
)
def test_letters_and_signs_tell_answers_apart(truth: str, text: str, expected: Grade) -> None:
    assert ShortAnswer().grade(text, [truth], truncated=False) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It is Lyon. I don't know.", WRONG),
        ("I don't know. It is Lyon.", WRONG),
        ("It is Paris. I don't know.", RIGHT),
        ("I'm not certain, but I think it was Lyon.", WRONG),
        ("I don't know. Please ask an expert.", NONE),
        ("I'm sorry, I do not know; it depends on the context.", NONE),
    ],
)
def test_who_claims_something_has_attempted(text: str, expected: Grade) -> None:
    assert ShortAnswer().grade(text, ["Paris"], truncated=False) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The capital of", CUT),
        ("It is Paris, which", RIGHT),
        ("It is Lyon. It lies on the", WRONG),
        ("I don't know, since", NONE),
        ("", CUT),
    ],
)
def test_a_cut_off_answer_is_graded_on_what_it_has_said(text: str, expected: Grade) -> None:
    assert ShortAnswer().grade(text, ["Paris"], truncated=True) is expected


@pytest.mark.parametrize(
    "text",
    [
        "I don't know.",
        "I honestly do not know the answer to that.",
        "I’m not sure about this one.",
        "I'm unable to answer that.",
        "I cannot say.",
        "I don't have enough information to answer.",
        "I have no idea",
        "That is not known.",
        "It is unknown who did it.",
        "There is not enough information.",
        "The passage does not mention it.",
        "This cannot be determined.",
        "N/A",
        "not specified",
    ],
)
def test_phrases_that_decline(text: str) -> None:
    assert declines(text)


@pytest.mark.parametrize(
    "text",
    ["Paris", "He did not know that it was Bonn.", "The Unknown Soldier", "She knows it well."],
)
def test_answers_that_do_not_decline(text: str) -> None:
    assert not declines(text)
    assert not denies(text)


def test_a_judge_is_read_exactly() -> None:
    assert [read_letter(one) for one in ("A", " B\n", "C")] == [0, 1, 2]
    for reply in ("CORRECT", "INCORRECT", "A.", "(B)", "a", "A B", "", None):
        assert read_letter(reply) == -1, reply
    assert read_letter("A", answerable=False) == Grade.NOT_ATTEMPTED


def test_a_judge_and_its_relatives() -> None:
    assert related("Qwen/Qwen2.5-72B-Instruct", ["qwen2-0.5b"]) == "qwen2-0.5b"
    assert related("gpt-4o", ["SmolLM2-135M", ""]) == ""


def test_content_leaves_the_question_and_the_wording_aside() -> None:
    prompt = "What is the capital of France?"
    said = ["Lyon", "It is Lyon.", "The capital of France is Lyon. It is big.", "I think Lyon!"]
    assert {content(one, prompt) for one in said} == {"lyon"}
    assert content("I don't know. Maybe Lyon.", prompt) == "maybe lyon"
    assert content("France is the capital.", prompt) == ""


def test_what_a_source_does_not_hold() -> None:
    source = 'On 3 May 2021 Ann Lee of Bergen paid $1,200 for two maps: "a fair price".'
    assert not unsupported("Ann Lee paid 1200 dollars in May 2021.", source)
    assert not unsupported("She said it was “a fair price”.", source)
    found = unsupported(
        'In 2022 Bob Lee paid 1,300. He called it "a great bargain"; see www.maps.example/x.',
        source,
    )
    assert found.numbers == ("2022", "1300")
    assert found.names == ("Bob",)
    assert found.quotes == ("a great bargain",)
    assert found.addresses == ("www.maps.example/x",)
    assert not unsupported("Was it Oslo? Oslo.", source, prompt="Was it Oslo?")


def test_sentences_survive_initials_and_decimals() -> None:
    assert [s for s, _ in sentences("Mr. J. Doe paid 3.5 pounds. Then he left!")] == [
        "Mr. J. Doe paid 3.5 pounds.",
        "Then he left!",
    ]
