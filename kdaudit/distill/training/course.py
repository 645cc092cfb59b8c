"""How far a run has come."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pydantic import TypeAdapter

from kdaudit.lineage import Epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How a run went so far.

    Attributes:
        epoch: epochs done.
        steps: optimiser steps done.
        best_epoch: the epoch of the lowest validation loss; 0 for the untrained model.
        best_loss: that loss.
        curve: a point per epoch.
        wall_seconds: time spent, over all sittings.
        cpu_seconds: processor time spent.
        flops: operations of a step, of those who change and of those who only answer; None where
            they were not counted.
        joules: energy spent, by counter; only counters that saw every epoch.
        finished: whether it is over.
    """

    epoch: int = 0
    steps: int = 0
    best_epoch: int = 0
    best_loss: float
    curve: tuple[Epoch, ...] = ()
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    flops: tuple[int, int] | None = None
    joules: Mapping[str, float] = field(default_factory=dict)
    finished: bool = False

    def after(
        self,
        point: Epoch,
        *,
        steps: int,
        wall: float,
        cpu: float,
        joules: Mapping[str, float],
        flops: tuple[int, int] | None,
    ) -> "Course":
        """The course one epoch later.

        Args:
            point: the epoch.
            steps: in it.
            wall: its seconds.
            cpu: its seconds of processor time.
            joules: its energy, by counter.
            flops: of a step, where they were counted in it.
        """
        both = {name: self.joules[name] + joules[name] for name in self.joules if name in joules}
        better = point.validation["loss"] < self.best_loss
        return replace(
            self,
            epoch=point.epoch,
            steps=self.steps + steps,
            curve=(*self.curve, point),
            wall_seconds=self.wall_seconds + wall,
            cpu_seconds=self.cpu_seconds + cpu,
            flops=flops or self.flops,
            joules=both if self.curve else dict(joules),
            best_epoch=point.epoch if better else self.best_epoch,
            best_loss=point.validation["loss"] if better else self.best_loss,
        )

    @property
    def said(self) -> str:
        """Its last epoch, as a line; empty where there is none."""
        if not self.curve:
            return ""
        last = self.curve[-1]
        parts = [f"{name} {value:.4f}" for name, value in last.train.items() if name != "total"]
        return (
            f"epoch {last.epoch}: loss {last.train['total']:.4f}"
            + (f" ({', '.join(parts)})" if len(parts) > 1 else "")
            + f", validation {last.validation['loss']:.4f}, best {self.best_loss:.4f}"
        )


COURSE = TypeAdapter(Course)
