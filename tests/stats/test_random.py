from kdaudit.stats.random import stream


def draw(seed: int, *names: str) -> int:
    return int(stream(seed, *names).integers(2**62))


def test_a_stream_is_the_same_on_every_machine() -> None:
    # Pinned: a change here changes every published bootstrap interval.
    assert draw(0, "calibration", "student") == 96333272418243951


def test_a_stream_depends_on_seed_and_every_name() -> None:
    draws = {
        draw(0),
        draw(1),
        draw(-1),
        draw(0, "a"),
        draw(0, "a", "b"),
        draw(0, "b", "a"),
        draw(0, "a", ""),
    }
    assert len(draws) == 7


def test_names_do_not_run_together() -> None:
    assert len({draw(0, "a|b"), draw(0, "a", "b"), draw(0, "ab"), draw(0, "a", "|b")}) == 4
    assert draw(1, "2") != draw(12)


def test_drawing_from_one_stream_leaves_others_alone() -> None:
    before = draw(3, "slices", "web")
    stream(3, "slices", "shop").random(1000)
    assert draw(3, "slices", "web") == before
