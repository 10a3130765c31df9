"""From examples to rows, and from rows to the methods that learn from them.

Each kind of feedback says something else: a correction gives a text to imitate and one that was not good enough, a
rating judges what the model said, a preference compares. The reward always belongs to the text that was judged. The
router never guesses: what no enabled method learns from is counted as such. What people say of one interaction in
several ways is learned in one (`learners.precedence`).

Limits: it sees no other example than the one at hand; near twins of gate prompts pass.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from consumers.cleaning import prompt_key
from consumers.endings import Ending, ending_of
from consumers.rewards import RewardSettings, aged_out, normalise, reward, weight
from consumers.trust import EVERYONE, Trust
from learners.batching import BatchExample
from learners.comparisons import Comparison, net
from learners.folds import By
from learners.lots import chance_of, lot
from learners.precedence import Precedence
from storage.records import Example, Message, Origin, Pair, Row, Target

HALF_WEIGHT = 0.5  # of an example that was in a rejected update


class Taker(Protocol):
    """What the router must know of a method (`learners.methods.Method`)."""

    @property
    def name(self) -> str: ...
    @property
    def takes(self) -> Callable[[Row, Any], bool]: ...


Methods = Sequence[tuple[Taker, Any]]  # each enabled method with its settings, in the order they choose


@dataclass(frozen=True, slots=True)
class Standing:
    """What rows count by beside their own feedback.

    Trust in users; the version of the task's champion, where it is known; those of all that have been champion, lowest
    first (candidates that were rejected use numbers up too, and succeeded nobody); and after how many successors an
    adapter's bad texts are superseded. `failing`: interactions whose answer fails an open check of the task's
    validator, where `hard_negatives` looks after those: no method raises such an answer, whoever liked it. `cut`:
    answers that were cut off, by interaction, where a pair says that its chosen text was given there.
    """

    trust: Trust = EVERYONE
    champion: int | None = None
    reigned: tuple[int, ...] = ()
    superseded_after: int | None = None
    failing: frozenset[str] = frozenset()
    cut: Mapping[str, str] = field(default_factory=dict)


NEW = Standing()


@dataclass(frozen=True, slots=True)
class Routed:
    """Rows by method, weights normalised to mean 1 in each.

    By role: `no_method`, how many rows nobody learns from (those that nobody may learn from by why: `cut`, `run-on`,
    `superseded`, `even split`, `failed check`); `gave_way`, how many yielded to a row of the same example.
    """

    by_method: Mapping[str, tuple[Row, ...]]
    no_method: Mapping[str, int]
    gave_way: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Offered:
    """Examples that a batch may be made of, in the order given; and how many are none, by reason."""

    examples: tuple[BatchExample, ...]
    no_method: Mapping[str, int]


def rows_of(
    example: Example,
    rewards: RewardSettings,
    now: datetime,
    half_weight: bool = False,
    standing: Standing = NEW,
) -> tuple[Row, ...]:
    """All that one example can teach: targets, the judged response, pairs; without what is aged out.

    Weights are decay x difficulty x agreement x trust, not yet normalised. What a human wrote does not age with the
    adapters. Preferences between the same two texts are one pair (`learners.comparisons`); those that are aged out have
    no voice in it. Empty for an example that is withdrawn or not joined.
    """
    if example.withdrawn or not example.joined:
        return ()
    pairs = [pair for pair in example.pairs if not aged_out(pair.effective_at, now, rewards)]
    rows = [
        *((row, (row.user_id,)) for row in _targets(example)),
        *((row, example.users) for row in _response(example, rewards, standing)),
        *((_pair(example, compared, standing), compared.users) for compared in _compared(example, pairs)),
    ]
    share = HALF_WEIGHT if half_weight else 1.0
    return tuple(
        _weighed_one(_placed(row, example, standing), example, rewards, now, share * standing.trust.of(users))
        for row, users in rows
        if not aged_out(row.effective_at, now, rewards)
    )


def _placed(row: Row, example: Example, standing: Standing) -> Row:
    """The row with how long ago its text was an adapter's; a human's is nobody's."""
    version = version_of(example.adapter, example.task)
    if row.role == "target" or version is None or standing.champion is None:
        return row
    behind, limit = _successors(version, standing.champion, standing.reigned), standing.superseded_after
    negative = row.role == "pair" or row.reward < 0
    return replace(row, versions_behind=behind, superseded=negative and limit is not None and behind > limit)


def _successors(version: int, champion: int, reigned: Sequence[int]) -> int:
    """How many have taken the place of that version since, up to the champion."""
    return max(0, bisect_right(reigned, champion) - bisect_right(reigned, version))


def _weighed_one(row: Row, example: Example, rewards: RewardSettings, now: datetime, trust: float) -> Row:
    """The row's weight so far is the agreement on a pair."""
    judged = example.scalar if row.role == "response" else None
    counts = weight(
        row.effective_at,
        now,
        rewards,
        signal=_signal_of_response(example),
        trust=trust,
        variance=judged.variance if judged else 0.0,
        versions_behind=row.versions_behind,
    )
    return replace(row, weight=row.weight * counts)


def version_of(adapter: str | None, task: str) -> int | None:
    """The 7 of `erd@v7`, where that is an adapter of the task."""
    name, _, version = (adapter or "").rpartition("@v")
    return int(version) if name == task and version.isdecimal() else None


def _targets(example: Example) -> list[Row]:
    """What humans wrote, with reward 1 however bad the answer was; a corrected answer is what was rejected.

    Of a correction and a demonstration with the same text the later alone.
    """
    rows = []
    if example.correction:
        rows.append(replace(_target(example, example.correction), rejected=example.response))
    if example.demonstration:
        rows.append(_target(example, example.demonstration))
    if len({row.completion.strip() for row in rows}) < len(rows):
        return [max(rows, key=lambda row: row.effective_at)]
    return rows


def _target(example: Example, target: Target) -> Row:
    return Row(
        messages=example.messages,
        completion=target.text,
        role="target",
        signal=1.0,
        reward=1.0,
        weight=1.0,
        origin=_origin(example),
        user_id=target.user_id or example.user_id,
        effective_at=target.effective_at,
    )


def _signal_of_response(example: Example) -> float | None:
    """How good the response was by the least favourable of what was said of it."""
    said = [slot.signal for slot in (example.scalar, example.correction) if slot]
    return min(said, default=None)


def _response(example: Example, rewards: RewardSettings, standing: Standing) -> list[Row]:
    signal = _signal_of_response(example)
    if signal is None or not example.response:
        return []
    return [
        Row(
            messages=example.messages,
            completion=example.response,
            role="response",
            signal=signal,
            reward=reward(signal, rewards),
            weight=1.0,
            origin=_origin(example),
            user_id=example.user_id,
            effective_at=max(slot.effective_at for slot in (example.scalar, example.correction) if slot),
            ending=ending_of(example.messages, example.response, example.finish_reason),
            fails_check=example.interaction_id in standing.failing,
        )
    ]


def _compared(example: Example, pairs: Iterable[Pair]) -> tuple[Comparison, ...]:
    """What does not say whose it is counts as the interaction's user's, as for the caps."""
    return net(replace(pair, user_id=pair.user_id or example.user_id) for pair in pairs)


def _pair(example: Example, pair: Comparison, standing: Standing) -> Row:
    return Row(
        messages=example.messages,
        completion=pair.chosen,
        role="pair",
        signal=1.0,
        reward=1.0,
        weight=1.0 if pair.split else pair.agreement,
        origin=_origin(example),
        user_id=pair.users[-1],
        effective_at=pair.effective_at,
        rejected=pair.rejected,
        ending=_ending_of_chosen(example, pair, standing),
        even_split=pair.split,
    )


def _ending_of_chosen(example: Example, pair: Comparison, standing: Standing) -> Ending | None:
    """A finish reason belongs to a response, which the chosen text may be: of this interaction, or of another."""
    chosen = pair.chosen.strip()
    if any(standing.cut.get(name, "").strip() == chosen for name in pair.chosen_in):
        return "cut"
    own = example.response is not None and chosen == example.response.strip()
    return ending_of(example.messages, pair.chosen, example.finish_reason if own else None)


def _origin(example: Example) -> Origin:
    return Origin(example.interaction_id, example.revision)


def route(rows: Iterable[Row], methods: Methods) -> Routed:
    """Each row to the first method that takes it, and each text of an interaction to one kind of row.

    `learners.precedence` says which gives way.
    """
    found = [(row, _taker(row, methods)) for row in rows]
    taken: dict[str, list[Row]] = {}
    nobody, gave_way = Counter[str](), Counter[str]()
    precedence = Precedence([row for row, method in found if method])
    for row, method in found:
        if (method or row.role == "response") and precedence.says_more_than(row):
            gave_way[row.role] += 1
        elif method:
            taken.setdefault(method, []).append(row)
        else:
            nobody[_unused_because(row)] += 1
    return Routed({name: _weighed(mine) for name, mine in taken.items()}, dict(nobody), dict(gave_way))


def _withheld(row: Row) -> str | None:
    """Why nobody may learn from a row: its text would be a good one, and ended badly, or a bad one, and is history; or
    nobody knows which."""
    if row.superseded:
        return "superseded"
    if row.even_split:
        return "even split"
    return row.ending if row.role == "pair" or row.reward > 0 else None


def _unused_because(row: Row) -> str:
    return _withheld(row) or ("failed check" if row.fails_check and row.reward > 0 else row.role)


def _taker(row: Row, methods: Methods) -> str | None:
    if _withheld(row):
        return None
    return next((method.name for method, settings in methods if method.takes(row, settings)), None)


def _weighed(rows: Sequence[Row]) -> tuple[Row, ...]:
    weights = normalise([row.weight for row in rows])
    return tuple(replace(row, weight=each) for row, each in zip(rows, weights, strict=True))


def offer(
    examples: Sequence[tuple[Example, Sequence[Row]]],
    rewards: RewardSettings,
    now: datetime,
    methods: Methods,
    secret: bytes,
) -> Offered:
    """Which examples some method makes a row of, for `batching.decide`; each draws its lot by its heaviest row.

    Each comes with its `rows_of`; `secret` keys the lots. The rest are counted by why: the role of a row that no method
    takes, why nobody may learn from it, `aged out`, or `no row` (nothing to learn, as from a tie). Where KTO learns,
    liked and disliked answers come in turn, so that no batch is filled with one sign.
    """
    offered: list[BatchExample] = []
    judged: dict[int, bool] = {}
    nobody: Counter[str] = Counter()
    for example, rows in examples:
        taken = [row for row in rows if _taker(row, methods)]
        if taken:
            if all(row.role == "response" for row in taken):
                judged[len(offered)] = taken[0].reward > 0
            drawn = lot(chance_of(_origin(example), secret), max(row.weight for row in taken))
            offered.append(BatchExample(_origin(example), example.users, drawn))
        else:
            nobody[_why_not(example, rows, rewards, now)] += 1
    if any(method.name == "kto" for method, _ in methods):
        offered = _in_turn(offered, judged)
    return Offered(tuple(offered), dict(nobody))


def _in_turn(offered: Sequence[BatchExample], liked: Mapping[int, bool]) -> list[BatchExample]:
    """The first liked and the first disliked answer get the lot of the first of both, and so on down.

    `liked` says of the places that hold a judged answer what was said of it; all others keep their lot.
    """
    sides = [[place for place, sign in liked.items() if sign is side] for side in (True, False)]
    lots = sorted(offered[place].lot for place in liked)
    found = list(offered)
    for side in sides if all(sides) else ():
        for rank, place in enumerate(sorted(side, key=lambda place: offered[place].lot)):
            found[place] = replace(offered[place], lot=lots[min(2 * rank, len(lots) - 1)])
    return found


def _why_not(example: Example, rows: Sequence[Row], rewards: RewardSettings, now: datetime) -> str:
    if rows:
        return _unused_because(rows[0])
    return "aged out" if aged_out(example.effective_at, now, rewards) else "no row"


def answer_key(messages: Sequence[Message], completion: str) -> str:
    """A prompt and what was answered, as one key: what must not be in training where folds go by user."""
    return prompt_key((*messages, Message("assistant", completion)))


def drop_leaks(rows: Iterable[Row], gate_keys: Collection[str], by: By) -> tuple[tuple[Row, ...], int]:
    """Rows without those that the gate would know again, and how many those were.

    Split by prompt, `gate_keys` are the gate's `prompt_key`s; split by user, the `answer_key`s of its texts.
    """
    given = tuple(rows)
    kept = tuple(row for row in given if _leak_key(row, by) not in gate_keys)
    return kept, len(given) - len(kept)


def _leak_key(row: Row, by: By) -> str:
    return prompt_key(row.messages) if by == "prompt" else answer_key(row.messages, row.completion)
