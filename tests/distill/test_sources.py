import torch

from kdaudit.distill.training.sources import Batch, Stored


def stored(rows: int, batch_size: int, seed: int = 0) -> Stored:
    numbers = torch.arange(rows)
    batch = Batch(inputs=numbers[:, None].float(), labels=numbers, targets=numbers[:, None] * 2.0)
    return Stored(rows=batch, batch_size=batch_size, seed=seed)


def order(source: Stored, epoch: int) -> list[int]:
    return [int(x) for batch in source.batches(epoch) for x in batch.inputs[:, 0]]


def test_an_epoch_shows_every_row_once_in_an_order_of_its_own() -> None:
    source = stored(10, 3)
    assert sorted(order(source, 1)) == list(range(10))
    assert order(source, 1) == order(source, 1)
    assert order(source, 1) != order(source, 2)
    assert order(source, 1) != order(stored(10, 3, seed=1), 1)


def test_every_row_keeps_its_label_and_its_target() -> None:
    for batch in stored(10, 3).batches(5):
        assert batch.labels is not None
        assert batch.targets is not None
        assert torch.equal(batch.inputs[:, 0].long(), batch.labels)
        assert torch.equal(batch.targets[:, 0], 2.0 * batch.labels)


def test_no_epoch_ends_in_a_batch_of_one_row() -> None:
    assert [len(batch) for batch in stored(65, 64).batches(1)] == [33, 32]
    assert [len(batch) for batch in stored(10, 3).batches(1)] == [3, 3, 2, 2]
    assert len(stored(10, 3)) == 4
    assert len(stored(2, 64)) == 1
