"""What an answer failed in, by kind, and whether a kind of failure is on its way out. Pure.

An answer fails in a kind `check:<name>` where that sub-check of the task's validator did not pass; in `feedback:score`
where ratings, thumbs and validations give it a negative reward; in `feedback:correction` where somebody changed it; in
`feedback:preference` where somebody preferred another, and not as many this one to that. Whatever fails in one of these
fails in `prompts:<n>` too, the cluster of its prompt: what a validator does not look at shows there.

Prompts are compared by their frame, their words without names and numbers: two prompts that ask the same of other
things have one frame. A name is a word with a capital inside of a sentence; in a prompt without any, the words that
stand in the answers to it take their place. A prompt joins the cluster whose first prompt's frame is nearest (Jaccard,
at least `SAME_FRAME`), or begins one; from `MOST_CLUSTERS` on it always joins. Only hashes of words are kept.

Limits: free prose has a frame for each prompt, so there the clusters say little.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from math import exp, fsum, lgamma, log, log1p
from zlib import crc32

from consumers.cleaning import last_asked
from consumers.rewards import RewardSettings, reward
from learners.comparisons import net
from learners.validators import Validated, Validator
from storage.records import Diagnosis, Example, Failure, FailureState, Tally

CHECK, FEEDBACK, PROMPTS = "check:", "feedback:", "prompts:"
MOST_CHECKS = 256  # kinds of a task that are named by sub-checks: a service may make up names without end
OTHER_CHECKS = f"{CHECK}others"
SAME_FRAME = 0.8
MOST_CLUSTERS = 32
MOST_WORDS = 200  # of a frame
FIXED_SHARE = 0.02
UNLIKELY = 0.05
MOST_UNLIKELY = 0.01
FEWEST_JUDGED = 20  # on either side, before one is called better than the other
_WORD = re.compile(r"[^\W\d]\w*")
_NAME = re.compile(r"(?<=[^.!?\s]\s)[A-Z]\w*|\b[^\W_]+[A-Z_]\w*")  # a capital within a sentence, or within the word


@dataclass(frozen=True, slots=True)
class Findings:
    """What a look at some examples found: a diagnosis of each, and the kinds of failure as they stand after it.

    By adapter: in which kinds its answers `failed` that were not counted before, and how many were `judged` first;
    without those that people were asked about.
    """

    diagnoses: tuple[Diagnosis, ...]
    kinds: Mapping[str, Failure]
    failed: Mapping[str, Mapping[str, int]]
    judged: Mapping[str, int]


def examine(
    examples: Iterable[tuple[Example, str]],
    known: Mapping[str, Failure],
    before: Mapping[str, Collection[str]],
    rewards: RewardSettings,
    validator: Validator | None,
    now: datetime,
    asked: Collection[str] = (),
) -> Findings:
    """What each example (with the adapter that answered) fails in. One without a response has nothing that failed.

    `known` are the task's kinds of failure so far; `before` are the kinds that examples were found in at an earlier
    look, by interaction, and are not counted again. What people were `asked` about was chosen for being doubtful: its
    kinds are known, but it says nothing of how often an adapter fails.
    """
    kinds, found = dict(known), list[Diagnosis]()
    failed: dict[str, Counter[str]] = {}
    judged: Counter[str] = Counter()
    for example, adapter in examples:
        if example.response is None or example.last_signal_at is None:
            continue
        validated = validator.validate(last_asked(example.messages), example.response) if validator else None
        mine = kinds_of(example, validated, rewards)
        mine = _within(mine, kinds)
        if mine:
            mine = (*mine, _join_cluster(example, kinds, now))
        new = [kind for kind in mine if kind not in before.get(example.interaction_id, ())]
        for kind in new:
            kinds[kind] = _seen(kinds.get(kind), example.task, kind, example.effective_at, now)
        if example.interaction_id not in asked:
            failed.setdefault(adapter, Counter()).update(new)
            judged[adapter] += example.interaction_id not in before
        found.append(Diagnosis(example.interaction_id, example.last_signal_at, adapter, mine))
    return Findings(tuple(found), kinds, failed, judged)


def kinds_of(example: Example, validated: Validated | None, rewards: RewardSettings) -> tuple[str, ...]:
    """Without the cluster; empty where nothing is wrong with the response."""
    checks = validated.checks if validated else {}
    found = [f"{CHECK}{name}" for name, passed in sorted(checks.items()) if not passed]
    if example.scalar and reward(example.scalar.signal, rewards) < 0:
        found.append(f"{FEEDBACK}score")
    if example.correction and example.correction.signal < 1:
        found.append(f"{FEEDBACK}correction")
    lost = {one.rejected.strip() for one in net(example.pairs) if not one.split}
    if example.response is not None and example.response.strip() in lost:
        found.append(f"{FEEDBACK}preference")
    return tuple(found)


def _within(found: tuple[str, ...], known: Collection[str]) -> tuple[str, ...]:
    """The kinds, where sub-checks that are beyond `MOST_CHECKS` of the task are one kind together."""
    room = max(0, MOST_CHECKS - sum(kind.startswith(CHECK) for kind in known))
    beyond = {*[kind for kind in found if kind.startswith(CHECK) and kind not in known][room:]}
    return tuple(dict.fromkeys(OTHER_CHECKS if kind in beyond else kind for kind in found))


def in_words(kind: str, clusters: int) -> str:
    """What an answer of that kind does wrong, for people; `clusters` is how many of prompts the task has."""
    if kind == OTHER_CHECKS:
        return f"fails a sub-check beyond the first {MOST_CHECKS} names"
    if kind.startswith(CHECK):
        return f"fails the sub-check {kind.removeprefix(CHECK)}"
    if kind.startswith(PROMPTS):
        return f"fails, and its prompt is of cluster {kind.removeprefix(PROMPTS)} of {clusters}"
    return _FEEDBACK_WORDS.get(kind, kind)


_FEEDBACK_WORDS = {
    f"{FEEDBACK}score": "was rated badly",
    f"{FEEDBACK}correction": "was changed by somebody",
    f"{FEEDBACK}preference": "another answer was preferred",
}


def failed_checks(answers: Iterable[Mapping[str, bool]]) -> tuple[Mapping[str, int], int]:
    """How many of the gate's answers, each with its sub-checks, failed in each kind, and how many there are.

    Of the `MOST_CHECKS` kinds alone that most failed in.
    """
    judged = [checks for checks in answers if checks]
    failed = Counter(f"{CHECK}{name}" for checks in judged for name, passed in checks.items() if not passed)
    return dict(failed.most_common(MOST_CHECKS)), len(judged)


def in_states(
    kinds: Iterable[Failure], tallies: Mapping[str, Mapping[str, Tally]], champion: str, now: datetime
) -> tuple[Failure, ...]:
    """The kinds whose state has changed, by what is known of the champion's answers and of those before it."""
    changed = []
    for kind in kinds:
        mine = tallies.get(kind.kind, {})
        before = sum((tally for adapter, tally in mine.items() if adapter != champion), Tally())
        state = state_of(kind.state, before, mine.get(champion, Tally()))
        if state != kind.state:
            changed.append(replace(kind, state=state, state_since=now))
    return tuple(changed)


def state_of(state: FailureState, before: Tally, now: Tally) -> FailureState:
    """`shrinking`: the champion fails less often than those before it did, by more than chance (5 %); `fixed`: by far
    more than chance (1 %, since it is looked at again and again and stays), and in no more than 2 % of its answers;
    `back again`: it was fixed, and fails more often than those 2 % explain (Poisson, 5 %).

    Chance is the conditional test: of all failures before and now, the champion's are binomial with its share of the
    answers, if both fail alike (Przyborowski and Wilenski, "Homogeneity of results in testing samples from Poisson
    series", Biometrika 31, 1940). One sided, with at least `FEWEST_JUDGED` answers on both sides. The levels are those
    of one look: over 20 looks at equal rates, after 5 answers each, up to 9 % are ever `shrinking` and 1.1 % become
    `fixed`; of what fails in 2 % exactly, 10 % are `back again`.
    """
    if state == "fixed":
        explained = 1 - _at_most(now.failed - 1, FIXED_SHARE * now.judged)
        return "back again" if now.failed and explained <= UNLIKELY else "fixed"
    chance = _chance_of_fewer(before, now)
    if chance <= MOST_UNLIKELY and now.failed <= FIXED_SHARE * now.judged:
        return "fixed"
    if chance <= UNLIKELY:
        return "shrinking"
    return "back again" if state == "back again" else "open"


def _chance_of_fewer(before: Tally, now: Tally) -> float:
    """P(no more failures now than there were) if they are as frequent as before; 1 where too few answers were judged.

    P(X <= failed now) for a binomial variable of all failures and the share of the answers that was judged now.
    """
    if min(before.judged, now.judged) < FEWEST_JUDGED:
        return 1.0
    failed, share = before.failed + now.failed, now.judged / (before.judged + now.judged)
    terms = (
        lgamma(failed + 1)
        - lgamma(number + 1)
        - lgamma(failed - number + 1)
        + number * log(share)
        + (failed - number) * log1p(-share)
        for number in range(now.failed + 1)
    )
    return min(1.0, fsum(exp(term) for term in terms))


def _at_most(count: int, expected: float) -> float:
    """P(X <= count) for a Poisson variable."""
    if expected == 0:
        return float(count >= 0)
    return sum(exp(number * log(expected) - expected - lgamma(number + 1)) for number in range(count + 1))


def _seen(known: Failure | None, task: str, kind: str, at: datetime, now: datetime) -> Failure:
    if known is None:
        return Failure(task, kind, 1, at, at, "open", now)
    first, last = min(known.first_seen_at, at), max(known.last_seen_at, at)
    return replace(known, count=known.count + 1, first_seen_at=first, last_seen_at=last)


def _join_cluster(example: Example, kinds: dict[str, Failure], now: datetime) -> str:
    """The name of the example's cluster, which is begun where there is none like it."""
    words = frame_of(example)
    clusters = {name: set(one.words) for name, one in kinds.items() if name.startswith(PROMPTS)}
    alike = {name: _jaccard(words, other) for name, other in clusters.items()}
    nearest = max(alike, key=lambda name: alike[name], default=None)
    if nearest is not None and (alike[nearest] >= SAME_FRAME or len(clusters) >= MOST_CLUSTERS):
        return nearest
    name, at = f"{PROMPTS}{len(clusters) + 1}", example.effective_at
    kinds[name] = Failure(example.task, name, 0, at, at, "open", now, tuple(sorted(words)))
    return name


def frame_of(example: Example) -> frozenset[int]:
    """Hashes of the words of its last question that are no names: what it asks, without of what."""
    asked = last_asked(example.messages)
    names = set(_NAME.findall(asked)) or _answered(example)
    words = [word.casefold() for word in _WORD.findall(asked) if word not in names]
    return frozenset(crc32(word.encode()) for word in words[:MOST_WORDS])


def _answered(example: Example) -> set[str]:
    said = [example.response or ""]
    said += [target.text for target in (example.correction, example.demonstration) if target]
    return {word for text in said for word in _WORD.findall(text)}


def _jaccard(one: frozenset[int], other: set[int]) -> float:
    both = len(one | other)
    return len(one & other) / both if both else 1.0
