"""Batches that are made while a student learns: its own texts, pairs beside them, equal budgets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from kdaudit.distill.language.blocks import of_tokens, pack
from kdaudit.distill.language.causal import Causal
from kdaudit.distill.language.samples import written
from kdaudit.distill.language.terms import SAMPLED
from kdaudit.distill.training.sources import Batch, Source
from kdaudit.stats.random import stream


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OnPolicy:
    """With probability λ a batch is written by the student as it is now (Agarwal et al. 2024).

    Which batches, to which prompts and with which tokens follows from seed, epoch, number of the
    batch and the student's weights alone, so a run that was killed goes on the same.

    Attributes:
        source: of the other batches.
        student: who writes.
        prompts: token ids, at least one each; with ``tokens`` more they fit a block.
        share: λ in (0, 1].
        tokens: most tokens of a text.
        temperature: of sampling.
        end: id of the token that ends a text.
        block: T.
        seed: of the arm.
    """

    source: Source
    student: Causal
    prompts: Sequence[Sequence[int]]
    share: float
    tokens: int
    temperature: float
    end: int
    block: int
    seed: int

    def __len__(self) -> int:
        return len(self.source)

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The batches of one epoch; those that are written, when they are asked for."""
        for index, batch in enumerate(self.source.batches(epoch)):
            draws = stream(self.seed, "on-policy", str(epoch), str(index))
            yield self._sampled(draws, len(batch)) if draws.random() < self.share else batch

    def _sampled(self, draws: np.random.Generator, rows: int) -> Batch:
        chosen = draws.choice(len(self.prompts), rows, replace=rows > len(self.prompts))
        prompts = [self.prompts[i] for i in chosen]
        texts = written(
            self.student,
            prompts,
            tokens=self.tokens,
            temperature=self.temperature,
            end=self.end,
            draw=torch.Generator().manual_seed(int(draws.integers(2**63))),
        )
        found = [
            piece
            for prompt, text in zip(prompts, texts, strict=True)
            for piece in of_tokens([*prompt, *text], len(prompt), self.block)
        ]
        batch = pack(found, self.block, together=False)
        return replace(batch, further={SAMPLED: torch.ones(len(batch), dtype=torch.bool)})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WithPairs:
    """Every row of a batch carries a pair, in an order of the pairs' own.

    Attributes:
        source: of the batches.
        pairs: what `Preference` reads, (P, …) each.
        seed: of the arm.
    """

    source: Source
    pairs: Mapping[str, Tensor]
    seed: int

    def __len__(self) -> int:
        return len(self.source)

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The batches of one epoch; pairs are gone through again and again."""
        count = len(next(iter(self.pairs.values())))
        order = stream(self.seed, "pairs", str(epoch)).permutation(count)
        start = 0
        for batch in self.source.batches(epoch):
            places = torch.from_numpy(order[np.arange(start, start + len(batch)) % count])
            start += len(batch)
            own = {name: values[places] for name, values in self.pairs.items()}
            yield replace(batch, further={**batch.further, **own})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Budget:
    """A source with as many batches per epoch as another has: equal budgets for controls.

    Attributes:
        source: gone through again and again.
        length: batches per epoch.
    """

    source: Source
    length: int

    def __len__(self) -> int:
        return self.length

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The next batches, going on where the epoch before stopped."""
        passes, skipped = divmod((epoch - 1) * self.length, len(self.source))
        return islice(self._on(passes + 1), skipped, skipped + self.length)

    def _on(self, first: int) -> Iterator[Batch]:
        while True:
            yield from self.source.batches(first)
            first += 1
