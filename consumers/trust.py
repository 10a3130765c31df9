"""Trust: how much a user's feedback counts, by how well it agrees with what others say of the same answers. Pure.

Others are validators and other users; the same answer is the same text to the same prompt, whichever interaction it
came from. For each answer that a user and at least one other judged by the same criterion, agreement is 1 - |signal -
mean signal of the others|. The mean agreement, smoothed by a few imagined answers of middling agreement so that a new
user begins at a stated prior and one quarrel costs little, becomes trust by a line: 1 for always the same, 0 for what
tossing a coin would give, never below a floor nor above 1. The others' mean counts each by the trust in them, found in
turns, else one contrary user would drag two honest ones down. So nobody gains by agreeing, and nobody is silenced.
Source: adaptd's own; the smoothing is that of a beta prior.

Limits: a majority that conspires is right by definition here, and of two who contradict each other both fall; batches'
caps a user and the gate stand against either.
Corrections, demonstrations and preferences are no judgements of one answer and say nothing here. Feedback without a
user is one of the others, and itself counts as a new user's does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from storage.records import Vote

PRIOR = 0.8  # the trust of a user of whom nothing is known
PRIOR_ANSWERS = 5  # how many answers of that much agreement a user begins with
FLOOR = 0.1
TURNS = 5
LOW = 0.5  # below this a user is counted in reports


@dataclass(frozen=True, slots=True)
class Trust:
    """Trust in (0, 1] by user, and that of everybody else; `users` counts those who were judged by others' votes."""

    by_user: Mapping[str, float] = field(default_factory=dict, repr=False)
    prior: float = PRIOR

    def of(self, users: Sequence[str | None]) -> float:
        """The mean over those users; the prior where there are none."""
        return fmean(self.by_user.get(user or "", self.prior) for user in users) if users else self.prior

    @property
    def low(self) -> int:
        return sum(trust < LOW for trust in self.by_user.values())

    def words(self) -> str:
        """For reports: numbers without names."""
        if not self.by_user:
            return f"nobody's feedback could be compared with others'; all count {self.prior:g}"
        return f"{self.low} of {len(self.by_user)} users below {LOW:g}"


EVERYONE = Trust({}, prior=1.0)  # where trust is off


def trust_of(votes: Iterable[Vote]) -> Trust:
    """Each user's trust, from what was said of the same answers."""
    answers = [said for said in _by_answer(votes).values() if len(said) > 1]
    trust = Trust()
    for _ in range(TURNS):
        trust = Trust({user: _trust(found) for user, found in _agreements(answers, trust).items()})
    return trust


def _agreements(answers: Sequence[Mapping[_Voter, float]], trust: Trust) -> Mapping[str, list[float]]:
    """By user, for each answer: 1 - |signal - mean of the others|, the others counting by their trust."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for said in answers:
        counts = {voter: 1.0 if voter.is_validator else trust.of([voter.user]) for voter in said}
        count, total = sum(counts.values()), sum(counts[voter] * signal for voter, signal in said.items())
        for voter, signal in said.items():
            if voter.user is not None:
                others = (total - counts[voter] * signal) / (count - counts[voter])
                found[voter.user].append(1 - abs(signal - others))
    return found


def _trust(agreements: Sequence[float]) -> float:
    """2 * smoothed mean - 1, so that the prior alone gives PRIOR."""
    imagined = PRIOR_ANSWERS * (1 + PRIOR) / 2
    mean = (imagined + sum(agreements)) / (PRIOR_ANSWERS + len(agreements))
    return min(1.0, max(FLOOR, 2 * mean - 1))


_Question = tuple[str, str | None]  # an answer, and by which criterion


@dataclass(frozen=True, slots=True)
class _Voter:
    """A user, all validators of an answer together, or a nameless vote, which stands alone."""

    user: str | None
    number: int = 0

    @property
    def is_validator(self) -> bool:
        return self.user is None and self.number == 0


def _by_answer(votes: Iterable[Vote]) -> Mapping[_Question, Mapping[_Voter, float]]:
    """Of each answer and criterion the mean signal by voter: who says a thing ten times is one voter."""
    found: defaultdict[_Question, defaultdict[_Voter, list[float]]] = defaultdict(lambda: defaultdict(list))
    for number, vote in enumerate(votes, start=1):
        nameless = 0 if vote.by_validator else number
        voter = _Voter(vote.user_id) if vote.user_id is not None and not vote.by_validator else _Voter(None, nameless)
        found[vote.answer, vote.criterion][voter].append(vote.signal)
    return {asked: {voter: fmean(said) for voter, said in by.items()} for asked, by in found.items()}
