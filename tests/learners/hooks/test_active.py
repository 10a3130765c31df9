"""The batch as a mixture: its shares, what each way chooses, and what is said of it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import pytest
from pydantic import ValidationError

from learners.errors import EmbeddingsMissing
from learners.hooks import hard_negatives
from learners.hooks.active import ActiveSettings, select, take_turns
from learners.hooks.contract import Brought, Context, PoolExample, Sample, Selection, Told
from learners.hooks.hard_negatives import HardNegativesSettings
from learners.ngrams import Vectors, ngram_vectors
from learners.selection import choose
from learners.validators import Validated
from storage.records import Message, Origin, Row

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Losses:
    """Tools that read a row's loss off its text, as `=1.5`, and what a trial makes of it, as `=1.5>1.2`."""

    def __init__(self, missing: bool = False) -> None:
        self._missing = missing
        self.probed: list[tuple[int, int, bool]] = []  # rows, steps, and whether it is the champion that tries

    def loss(self, rows: Sequence[Row]) -> Sequence[float]:
        return [float(row.completion.partition("=")[2].partition(">")[0]) for row in rows]

    def probe_loss(self, rows: Sequence[Row], steps: int, *, champion: bool = False) -> Sequence[float]:
        self.probed.append((len(rows), steps, champion))
        return [float(row.completion.rpartition(">")[2]) for row in rows]

    def answers(self, prompts: Sequence[Sequence[Message]], n: int, temperature: float) -> Sequence[Sequence[Sample]]:
        raise AssertionError("active asks for no answers")

    def validate(self, messages: Sequence[Message], answer: str) -> Validated | None:
        return None

    def embed(self, texts: Sequence[str]) -> Vectors:
        if self._missing:
            raise EmbeddingsMissing("no model; run `hf download it`")
        return ngram_vectors(texts)


def entry(
    number: int,
    loss: float,
    prompt: str = "one",
    reward: float = 0.5,
    rejected: str | None = None,
    learned: float = 0.1,
    weight: float = 1.0,
) -> PoolExample:
    """A target, of which a trial learns `learned` nats a token; with `rejected`, a pair."""
    text = f"a={loss}>{loss - learned}"
    told = Row((Message("user", prompt),), text, "target", 1.0, reward, 1.0, Origin(str(number), 1), None, NOW)
    row = told if rejected is None else replace(told, role="pair", rejected=rejected)
    return PoolExample(row.origin, (number,), weight, (row,))


def corrected(number: int, learned: float, answered: float) -> PoolExample:
    """A correction, as the router makes it: it knows the answer that it replaced, and how likely that was."""
    given = entry(number, 1.0, learned=learned)
    return replace(given, rows=(replace(given.rows[0], rejected=f"b={answered}"),))


def disliked(number: int, loss: float) -> PoolExample:
    given = entry(number, loss)
    return replace(given, rows=(replace(given.rows[0], role="response", reward=-0.8),))


def chosen(
    pool: Sequence[PoolExample], budget: int, tools: Losses | None = None, probe_steps: int = 10, **shares: float
) -> Selection:
    parts = {"random": 0.3, "uncertain": 0.0, "diverse": 0.0, "quality": 0.0} | shares
    settings = ActiveSettings.model_validate({**parts, "probe_steps": probe_steps})
    return select(pool, budget, Context(settings, batch_size=4, seed=1, tools=tools or Losses()))


def told(wish: Selection, brought: Sequence[int], others: Sequence[int] = ()) -> Told:
    assert wish.tell is not None
    return wish.tell(Brought(tuple(brought), (*others, *brought)))


@pytest.mark.parametrize("shares", [(0.3, 0.2, 0.4, 0.1), (0.3, 0.7, 0.0, 0.0), (0.5, 0.0, 0.25, 0.25)])
def test_every_stretch_of_the_order_has_its_shares(shares: tuple[float, ...]) -> None:
    names = ("random", "uncertain", "diverse", "quality")
    orders = {name: Random(at).sample(range(200), 200) for at, name in enumerate(names)}
    whole = dict(zip(names, shares, strict=True))
    places, chose = take_turns(orders, whole)
    assert sorted(places) == list(range(200))
    for until in range(1, 60):
        for name, share in whole.items():
            assert chose[:until].count(name) >= int(share * until + 1e-9)


def test_less_than_thirty_percent_at_random_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"greater than or equal to 0\.3"):
        ActiveSettings(random=0.2)


def test_the_other_ways_divide_what_random_leaves() -> None:
    shares = ActiveSettings(random=0.5, uncertain=3, diverse=1, quality=0).shares
    assert shares == pytest.approx({"random": 0.5, "uncertain": 0.375, "diverse": 0.125, "quality": 0})
    assert sum(ActiveSettings().shares.values()) == pytest.approx(1)
    assert ActiveSettings(uncertain=0, diverse=0, quality=0).shares == {"random": 1.0}


def test_uncertain_is_what_a_trial_learns_most_of_and_not_what_is_merely_unlikely() -> None:
    pool = [entry(at, 1.0, learned=gain) for at, gain in enumerate([0.1, 0.5, 0.9, 0.3])] + [entry(4, 9.0, learned=0.2)]
    wish = chosen(pool, 3, uncertain=0.7)
    assert wish.places[0] == 2
    assert told(wish, wish.places[:3]).numbers["uncertain"] == 2


def test_what_the_others_teach_against_comes_last_and_is_counted() -> None:
    wrong = [entry(at, 3.0, learned=-0.5) for at in range(3)]
    pool = [*wrong, *(entry(3 + at, 1.0, learned=0.1 + at / 10) for at in range(5))]
    wish = chosen(pool, 8, uncertain=0.7)
    assert wish.numbers["against"] == 3
    assert any("made 3 of 8 texts no likelier" in reason for reason in wish.reasons)
    assert wish.places[0] == 7


def test_what_is_learned_counts_by_its_weight() -> None:
    pool = [entry(0, 1.0, learned=0.5, weight=0.5), entry(1, 1.0, learned=0.4), entry(2, 1.0, learned=0.1, weight=2.0)]
    assert chosen(pool, 1, uncertain=0.7).places[0] == 1


def test_a_text_that_does_not_fit_the_window_is_the_last_to_be_uncertain_about() -> None:
    pool = [entry(0, float("inf"), learned=0.0), entry(1, 1.0, learned=-0.5)]
    assert chosen(pool, 1, uncertain=0.7).places[0] == 1


@pytest.mark.parametrize(("rows", "steps"), [(6, 2), (40, 10), (400, 10)])
def test_the_trial_is_the_champions_and_sees_no_text_twice(rows: int, steps: int) -> None:
    tools = Losses()
    chosen([entry(at, 1.0) for at in range(rows)], 3, tools, uncertain=0.7)
    assert tools.probed == [(rows, steps, True)]


def test_a_trial_never_learns_from_disliked_answers() -> None:
    tools = Losses()
    wish = chosen([disliked(0, 1.0), disliked(1, 2.0), disliked(2, 0.5)], 2, tools, uncertain=0.7)
    assert tools.probed == []
    assert wish.places[0] == 1


def test_of_pairs_those_are_uncertain_that_the_champion_cannot_tell_apart() -> None:
    pool = [entry(at, 2.0, rejected=f"b={2.0 + gap}") for at, gap in enumerate([3.0, -2.0, 0.1, 1.0])]
    assert chosen(pool, 2, uncertain=0.7).places[0] == 2


def test_a_correction_is_no_pair_though_it_replaced_a_text() -> None:
    pool = [corrected(at, *given) for at, given in enumerate([(0.9, 0.1), (0.2, 1.0), (0.4, 0.8)])]
    assert chosen(pool, 3, uncertain=0.7).places[0] == 0


def test_diverse_is_what_stands_for_other_prompts() -> None:
    prompts = ["return the jacket please", "return the jacket now", "return the jacket", "draw a library", "zq"]
    pool = [entry(at, 1.0, prompt) for at, prompt in enumerate(prompts)]
    wish = chosen(pool, 2, diverse=0.7)
    assert wish.places[0] in (0, 1, 2)
    found = told(wish, wish.places[:2])
    assert found.numbers["coverage"] >= 0.4
    assert any("covers prompts to" in reason for reason in found.reasons)


def test_of_prompts_that_are_alike_in_number_the_weightier_are_stood_for_first() -> None:
    pool = [
        entry(at, 1.0, prompt, weight=weight)
        for at, (prompt, weight) in enumerate([("return a jacket", 1.0), ("draw a library", 2.0)])
    ]
    assert chosen(pool, 1, diverse=0.7).places[0] == 1


def test_quality_is_the_highest_reward() -> None:
    pool = [entry(at, 1.0, reward=reward) for at, reward in enumerate([0.1, 0.9, 0.5])]
    assert chosen(pool, 1, quality=0.7).places[0] == 1


def test_without_the_sentence_model_prompts_are_compared_by_words_and_that_is_said() -> None:
    pool = [entry(at, 1.0, f"prompt {at}") for at in range(5)]
    wish = chosen(pool, 2, Losses(missing=True), diverse=0.7)
    assert told(wish, wish.places[:2]).numbers["diverse"] >= 1
    assert "prompts are compared by their words: no model; run `hf download it`" in wish.reasons


def test_what_is_told_is_of_the_batch_and_not_of_the_wish() -> None:
    """Others took ten of the first twelve; with 24 wished for, one of the two left was drawn blindly."""
    pool = [entry(at, 1.0, f"{'library' if at % 2 else 'jacket'} {at}", learned=at / 100) for at in range(60)]
    wish = chosen(pool, 24, uncertain=0.5, diverse=0.2, quality=0.0)
    brought, others = wish.places[10:12], wish.places[:10]
    found = told(wish, brought, others)
    assert sum(found.numbers[name] for name in ("random", "uncertain", "diverse")) == 2
    assert found.numbers["coverage"] == pytest.approx(told(wish, wish.places[:12]).numbers["coverage"])
    assert found.numbers["coverage"] < told(wish, wish.places[:24]).numbers["coverage"]


def test_beside_a_quota_of_failures_what_is_reported_is_what_is_in_the_batch() -> None:
    """The wish is for all 24; five open the batch, eight are failures, the rest is left."""
    pool = [replace(entry(at, 1.0, f"p{at}", learned=at / 100), failures=("a",) if at < 20 else ()) for at in range(60)]
    quota = Context(HardNegativesSettings(), batch_size=4, seed=1, tools=Losses())
    wishes = {"active": chosen(pool, 24, uncertain=0.4, diverse=0.2, quality=0.1)}
    wishes["hard_negatives"] = hard_negatives.select(pool, 24, quota)
    batch = choose(pool, wishes, budget=24, cap=24, min_users=5, seed=1)
    assert {name: len(places) for name, places in batch.by.items()} == {"openers": 5, "hard_negatives": 8, "active": 11}
    figures = told(wishes["active"], batch.by["active"]).numbers
    assert sum(figures[way] for way in ("random", "uncertain", "diverse", "quality")) == 11
    words = told(wishes["hard_negatives"], batch.by["hard_negatives"]).reasons
    assert words == ("8 of a (20 in the pool)",)
