"""Time language models as they write, in the scenarios of `kdaudit.evidence.serving`.

Requests go to all models in blocks, in an order that a coin turns round for each block; one after
the other they go to each model in turn, as `kdaudit.evidence.timings` does. What disturbs one
disturbs all. A run that is broken off is begun anew: half of a run says nothing of the other half.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace

import numpy as np
import pyarrow as pa

from kdaudit.data.serving_tables import ServingTable
from kdaudit.errors import ModelError
from kdaudit.evidence.kinds import Ints
from kdaudit.evidence.load import Sent, all_at_once, arrivals, ask, open_loop
from kdaudit.evidence.noise import Watch
from kdaudit.evidence.serving import FEWEST, MOST, OFFLINE, SINGLE, Serving, numbered
from kdaudit.evidence.store import Store
from kdaudit.evidence.view import Role
from kdaudit.governance.digest import json_digest
from kdaudit.governance.environment import machine
from kdaudit.models.adapter import Decoding, Prompt, Streaming
from kdaudit.progress import Advance, Progress, silent
from kdaudit.stats.random import stream

WARM_UP = 3  # requests to each model before any is timed
FINGERPRINT = ("processor", "cores", "memory", "torch threads")
COLUMNS = tuple(field.name for field in fields(Sent) if field.name != "why")

Models = Mapping[Role, Streaming]
Requests = Sequence[tuple[str, Prompt]]
Taken = dict[Role, list[Sent]]


def record_serving(  # noqa: PLR0913  # the models, the requests, and how to run them
    models: Models,
    requests: Requests,
    decoding: Decoding,
    table: ServingTable,
    *,
    elsewhere: Mapping[Role, str | None],
    seed: int,
    store: Store,
    anew: bool = False,
    progress: Progress = silent,
) -> tuple[dict[Role, Serving], int]:
    """Time every model, unless the store has it of these models on this machine.

    Args:
        models: by role.
        requests: (id, prompt) to draw from, each once before any is drawn again.
        decoding: how answers are written.
        table: the scenarios, and how many requests in each.
        elsewhere: the declared hardware of models that answer over a network, None where nobody
            declared it; models that are not named here run on this machine.
        seed: of the choice, the order and the arrivals.
        store: where it is kept.
        anew: time again, whatever the store has.
        progress: told of every request.

    Returns:
        By role, and how many requests were sent just now.

    Raises:
        ModelError: for a model that answers fewer than half of them.
    """
    facts = machine()
    here = {name: facts[name] for name in FINGERPRINT if name in facts}
    key = {
        "models": {role: dict(model.identity()) for role, model in models.items()},
        "prompts": json_digest([[name, asdict(prompt)] for name, prompt in requests]),
        "decoding": asdict(decoding),
        "serving": table.model_dump(),
        "machine": here,
        "elsewhere": dict(elsewhere),
        "seed": seed,
    }
    entry = store.entry("serving", key)
    if entry.sealed and not anew:
        return _read(entry.read()), 0
    rng = stream(seed, "serving")
    rows = np.resize(rng.permutation(len(requests)), table.requests).tolist()
    chosen = [requests[row] for row in rows]
    for model in models.values():
        for _, prompt in chosen[:WARM_UP]:
            ask(model, prompt, decoding)
    told = ", ".join(f"{name}: {fact}" for name, fact in here.items())
    hardware = {role: elsewhere.get(role, told) for role in models}
    block = _blocks(len(chosen))
    size = len(models) * len(chosen) * len(table.scenarios)
    advance = progress("timing language models", size)
    prompts = [
        [chosen[row][1] for row in np.flatnonzero(block == code).tolist()]
        for code in range(int(block.max()) + 1)
    ]
    run = _Run(
        models=models, blocks=prompts, decoding=decoding, rate=table.rate, rng=rng, advance=advance
    )
    watch = Watch.start()
    taken = {scenario: run.scenario(scenario) for scenario in table.scenarios}
    noisy = watch.stop().noise()
    for role in models:
        _refuse_mostly_unanswered(role, [one for of in taken.values() for one in of[role]])
    names = numbered([name for name, _ in chosen])
    found = {
        role: _serving(
            {scenario: of[role] for scenario, of in taken.items()},
            names,
            block,
            hardware[role],
            noisy,
        )
        for role in models
    }
    entry.discard()
    entry.write(0, _table(found))
    entry.seal(1)
    return found, size


def _refuse_mostly_unanswered(role: Role, sent: Sequence[Sent]) -> None:
    lost = [one.why for one in sent if math.isnan(one.last)]
    if 2 * len(lost) > len(sent):
        raise ModelError(
            f"[{role}] left {len(lost)} of {len(sent)} timed requests unanswered, e.g. {lost[0]}"
        )


def _blocks(size: int) -> Ints:
    return np.arange(size) * max(1, min(MOST, size // FEWEST)) // size


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Run:
    """What every scenario is given."""

    models: Models
    blocks: Sequence[Sequence[Prompt]]
    decoding: Decoding
    rate: float | None
    rng: np.random.Generator
    advance: Advance

    def scenario(self, name: str) -> Taken:
        taken: Taken = {role: [] for role in self.models}
        for prompts in self.blocks:
            coin = int(self.rng.integers(2))
            if name == SINGLE:
                for number, prompt in enumerate(prompts):
                    for role in self._order(number + coin):
                        taken[role].append(ask(self.models[role], prompt, self.decoding))
                        self.advance(1)
                continue
            # The same arrivals for all models.
            due = None if name == OFFLINE else arrivals(len(prompts), self.rate or 1.0, self.rng)
            for role in self._order(coin):
                taken[role] += (
                    all_at_once(self.models[role], prompts, self.decoding)
                    if due is None
                    else open_loop(self.models[role], prompts, due, self.decoding)
                )
                self.advance(len(prompts))
        return taken

    def _order(self, turn: int) -> list[Role]:
        return list(self.models) if turn % 2 == 0 else list(self.models)[::-1]


def _serving(
    taken: Mapping[str, Sequence[Sent]],
    names: Sequence[str],
    block: Ints,
    hardware: str | None,
    noisy: tuple[str, ...],
) -> Serving:
    sent = [one for run in taken.values() for one in run]
    values = np.array([[getattr(one, name) for name in COLUMNS] for one in sent], np.float64)
    return Serving(
        scenario=np.repeat(np.array([*taken], dtype=object), len(names)),
        request=np.tile(np.array(names, dtype=object), len(taken)),
        block=np.tile(block, len(taken)),
        hardware=hardware,
        origin="timed here",
        noisy=noisy,
        **dict(zip(COLUMNS, values.T, strict=True)),
    )


def _table(found: Mapping[Role, Serving]) -> pa.Table:
    about = {role: {"hardware": one.hardware, "noisy": one.noisy} for role, one in found.items()}
    columns = {
        name: np.concatenate([getattr(one, name) for one in found.values()])
        for name in ("scenario", "request", "block", *COLUMNS)
    }
    roles = np.repeat(np.array([*found], dtype=object), [len(one) for one in found.values()])
    return pa.table({"role": roles, **columns}).replace_schema_metadata(
        {"about": json.dumps(about)}
    )


def _read(table: pa.Table) -> dict[Role, Serving]:
    about = json.loads(table.schema.metadata[b"about"])
    frame = table.to_pandas()
    found: dict[Role, Serving] = {}
    for role, facts in about.items():
        part = frame[frame.role == role]
        made = Serving(
            scenario=part.scenario.to_numpy(dtype=object),
            request=part.request.to_numpy(dtype=object),
            block=part.block.to_numpy(dtype=np.int64),
            hardware=facts["hardware"],
            origin="timed here",
            **{name: part[name].to_numpy(dtype=np.float64) for name in COLUMNS},
        )
        found[role] = replace(made, noisy=tuple(facts["noisy"]))
    return found
