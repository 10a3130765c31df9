from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.joins import Joined, JoinSettings, join
from consumers.signals import signal_of
from consumers.similarity import SimilaritySettings
from storage.records import KINDS, Event, Example, Message
from tests.consumers.wires import event

SIMILARITY = SimilaritySettings()
LAST = JoinSettings()


def at(hour: int, kind: str, event_id: str, /, **changes: Any) -> Event:
    """An event of 2026-01-01, `hour` o'clock, received when it happened, with the signal that intake gives it."""
    said = f"2026-01-01T{hour:02}:00:00Z"
    made = event(kind, event_id=event_id, occurred_at=said, **changes)
    return replace(made, received_at=made.occurred_at)


def example(*events: Event, aggregate: str = "last") -> Example:
    return join(events, JoinSettings.model_validate({"aggregate": aggregate}), SIMILARITY).example


def bare(hour: int, kind: str, event_id: str, /, **changes: Any) -> Event:
    """Feedback that carries neither prompt nor response: it needs its interaction."""
    return at(hour, kind, event_id, **{"prompt": ..., "response": ..., **changes})


ASKED = at(1, "interaction", "i1", model="small", adapter="greet@v1", finish_reason="stop")


def test_an_interaction_alone_is_unlabelled_and_joined() -> None:
    found = example(ASKED)
    assert (found.joined, found.labelled, found.withdrawn, found.revision) == (True, False, False, 1)
    assert (found.messages, found.response) == ((Message("user", "Greet me."),), "Hello.")
    assert (found.model, found.adapter, found.finish_reason) == ("small", "greet@v1", "stop")
    assert (found.user_id, found.users, found.last_signal_at) == ("u1", (), None)
    assert found.effective_at == found.first_seen_at == ASKED.received_at


def test_feedback_fills_its_slots() -> None:
    found = example(
        ASKED,
        bare(2, "rating", "r", user_id="u2"),
        bare(3, "correction", "c", user_id="u3", corrected="Hello, you."),
        bare(4, "preference", "p", user_id="u4"),
        bare(5, "demonstration", "d", user_id="u5"),
    )
    assert found.scalar is not None
    assert found.correction is not None
    assert found.demonstration is not None
    assert (found.scalar.signal, found.scalar.count) == (0.75, 1)
    assert (found.correction.text, found.correction.user_id) == ("Hello, you.", "u3")
    assert (found.demonstration.text, found.demonstration.signal) == ("Good morning.", 1.0)
    assert [(pair.chosen, pair.rejected, pair.user_id) for pair in found.pairs] == [("Hello.", "Go away.", "u4")]
    assert (found.users, found.revision) == (("u2", "u3", "u4", "u5"), 4)
    assert found.effective_at == found.last_signal_at == found.demonstration.effective_at


def test_a_late_correction_opens_a_revision_and_a_late_rating_does_not() -> None:
    first = [ASKED, bare(2, "correction", "c1")]
    assert example(*first).revision == 2
    assert example(*first, bare(3, "rating", "r")).revision == 2
    later = example(*first, bare(3, "correction", "c2", corrected="Hi!"))
    assert later.revision == 3
    assert later.correction is not None
    assert later.correction.text == "Hi!"


@pytest.mark.parametrize(
    ("aggregate", "signal"), [("last", 0.0), ("first", 0.5), ("mean", 0.5), ("min", 0.0), ("max", 1.0)]
)
def test_several_scalars_are_aggregated(aggregate: str, signal: float) -> None:
    ratings = [bare(2 + n, "rating", f"r{n}", rating=stars) for n, stars in enumerate((3, 5, 1))]
    found = example(ASKED, *ratings, aggregate=aggregate)
    assert found.scalar is not None
    assert found.scalar.signal == pytest.approx(signal)
    assert found.scalar.count == 3


def test_ratings_thumbs_and_validations_share_the_scalar_by_criterion() -> None:
    found = example(
        ASKED,
        bare(2, "rating", "r", rating=5, criterion="tone"),
        bare(3, "thumb", "t", thumb="down", criterion="tone"),
        bare(4, "validation", "v", score=0.5, criterion="facts"),
        bare(5, "thumb", "t2"),
    )
    assert found.scalar is not None
    assert found.scalar.signal == pytest.approx((0.0 + 0.5 + 1.0) / 3)


def test_events_of_one_moment_are_ordered_by_id() -> None:
    one, other = bare(2, "thumb", "a", thumb="down"), bare(2, "thumb", "b", thumb="up")
    for events in ((ASKED, one, other), (other, one, ASKED)):
        found = example(*events)
        assert found.scalar is not None
        assert found.scalar.signal == 1.0


class TestWaiting:
    def test_feedback_without_its_interaction_waits(self) -> None:
        found = example(bare(2, "thumb", "t"))
        assert (found.joined, found.labelled) == (False, True)

    @pytest.mark.parametrize("kind", ["thumb", "rating", "validation", "correction", "preference", "demonstration"])
    def test_feedback_that_carries_prompt_and_judged_text_does_not_wait(self, kind: str) -> None:
        assert example(at(2, kind, "f")).joined
        assert not example(at(2, kind, "f", prompt=...)).joined
        carries_its_text = kind in ("preference", "demonstration")
        assert example(at(2, kind, "f", response=...)).joined == carries_its_text

    def test_self_contained_feedback_does_not_wait(self) -> None:
        assert example(at(2, "thumb", "t", interaction_id=...)).joined

    def test_a_correction_gets_its_signal_when_the_response_comes(self) -> None:
        correction = bare(2, "correction", "c", corrected="Hello, you.")
        alone = join([correction], LAST, SIMILARITY)
        assert (alone.signals, alone.example.joined) == ({}, False)
        done = join([correction, ASKED], LAST, SIMILARITY)
        expected = signal_of(correction.body, "Hello.", SIMILARITY)
        assert expected is not None
        assert done.signals == {"c": expected}
        assert done.example.correction is not None
        assert done.example.correction.signal == expected.value

    def test_a_signal_that_is_stored_is_not_reported_again(self) -> None:
        correction = bare(2, "correction", "c")
        signals = join([correction, ASKED], LAST, SIMILARITY).signals
        stored = replace(correction, signal=signals["c"])
        assert join([stored, ASKED], LAST, SIMILARITY).signals == {}


class TestWhoseText:
    def test_the_interaction_wins_over_what_feedback_quotes(self) -> None:
        early = at(0, "thumb", "t", prompt="Other prompt", response="Other response", user_id="u9")
        found = example(early, ASKED)
        assert (found.messages[0].content, found.response, found.user_id) == ("Greet me.", "Hello.", "u1")

    def test_feedback_on_another_text_says_nothing_about_this_one(self) -> None:
        found = example(ASKED, at(2, "thumb", "t", response="Another answer."))
        assert found.scalar is None

    def test_white_space_around_it_makes_no_other_text(self) -> None:
        assert example(ASKED, at(2, "thumb", "t", response="Hello.\n")).scalar is not None

    def test_a_correction_of_another_text_is_still_a_target(self) -> None:
        correction = at(2, "correction", "c", response="Bye.", corrected="Hello, you.")
        found = example(ASKED, correction)
        about_this = signal_of(correction.body, "Hello.", SIMILARITY)
        assert about_this is not None
        assert found.correction is not None
        assert found.correction.signal == about_this.value

    def test_the_user_is_the_first_known_one_where_the_interaction_has_none(self) -> None:
        anonymous = at(1, "interaction", "i1", user_id=...)
        found = example(bare(3, "thumb", "b", user_id="u3"), bare(2, "thumb", "a", user_id="u2"), anonymous)
        assert (found.user_id, found.users) == ("u2", ("u2", "u3"))

    def test_feedback_that_names_nobody_is_laid_to_the_interaction_s_user(self) -> None:
        found = example(ASKED, bare(2, "demonstration", "d", user_id=...))
        assert found.users == ("u1",)
        assert found.demonstration is not None
        assert found.demonstration.user_id == "u1"


class TestRetractions:
    def test_one_event_is_taken_back_by_its_user(self) -> None:
        found = example(ASKED, bare(2, "thumb", "t"), bare(3, "retraction", "x", retracts={"event_id": "t"}))
        assert (found.labelled, found.withdrawn, found.users, found.last_signal_at) == (False, False, (), None)

    def test_a_revision_never_falls(self) -> None:
        events = [ASKED, bare(2, "correction", "c")]
        after = example(*events, bare(3, "retraction", "x", retracts={"event_id": "c"}))
        assert (after.correction, after.revision) == (None, 2)

    def test_the_correction_before_stands_again(self) -> None:
        events = [ASKED, bare(2, "correction", "c1", corrected="First"), bare(3, "correction", "c2")]
        after = example(*events, bare(4, "retraction", "x", retracts={"event_id": "c2"}))
        assert after.correction is not None
        assert after.correction.text == "First"

    def test_it_may_come_before_its_target(self) -> None:
        early = bare(2, "retraction", "x", retracts={"event_id": "t"})
        assert not example(early, ASKED, bare(3, "thumb", "t")).labelled

    def test_it_may_carry_another_interaction_s_key(self) -> None:
        loose = bare(3, "retraction", "x", interaction_id=..., retracts={"event_id": "t"})
        assert loose.interaction_id == "retracts:t"
        found = example(loose, ASKED, bare(2, "thumb", "t"))
        assert (found.labelled, found.interaction_id) == (False, "i1")

    @pytest.mark.parametrize(("user", "target_user"), [("u2", "u1"), (..., ...), (..., "u1"), ("u1", ...)])
    def test_nobody_takes_back_what_another_said(self, user: Any, target_user: Any) -> None:
        thumb = bare(2, "thumb", "t", user_id=target_user)
        assert example(ASKED, thumb, bare(3, "retraction", "x", user_id=user, retracts={"event_id": "t"})).labelled

    def test_a_trusted_app_takes_back_anything(self) -> None:
        retraction = replace(bare(3, "retraction", "x", user_id=..., retracts={"interaction_id": "i1"}), trusted=True)
        found = example(ASKED, bare(2, "thumb", "t"), bare(2, "correction", "c", user_id="u7"), retraction)
        assert (found.withdrawn, found.labelled, found.revision) == (True, False, 2)

    def test_the_asker_takes_back_the_whole_interaction(self) -> None:
        everything = bare(3, "retraction", "x", retracts={"interaction_id": "i1"})
        found = example(ASKED, bare(2, "thumb", "t", user_id="u2"), everything)
        assert (found.withdrawn, found.labelled) == (True, False)

    def test_another_user_takes_back_only_what_they_said_themselves(self) -> None:
        mine = bare(3, "retraction", "x", user_id="u2", retracts={"interaction_id": "i1"})
        found = example(ASKED, bare(2, "thumb", "t", user_id="u2"), bare(2, "thumb", "u"), mine)
        assert (found.withdrawn, found.users) == (False, ("u1",))

    def test_self_contained_feedback_that_is_taken_back_leaves_nothing(self) -> None:
        thumb = at(2, "thumb", "t", interaction_id=...)
        taken = bare(3, "retraction", "x", interaction_id=thumb.interaction_id, retracts={"event_id": "t"})
        found = example(thumb, taken)
        assert (found.withdrawn, found.labelled, found.joined) == (True, False, True)

    def test_alone_it_is_an_example_that_waits(self) -> None:
        found = example(bare(3, "retraction", "x", interaction_id=..., retracts={"interaction_id": "i7"}))
        assert (found.interaction_id, found.joined, found.withdrawn, found.labelled) == ("i7", False, False, False)


def test_no_events_make_no_example() -> None:
    with pytest.raises(ValueError, match="at least one"):
        join([], LAST, SIMILARITY)


ids = st.integers(min_value=0, max_value=7).map(lambda number: f"e{number}")
users = st.sampled_from(["u1", "u2", None])
some_texts = st.sampled_from(["Hello.", "Hello, you.", "Good day to you all.", None])


@st.composite
def any_event(draw: st.DrawFn) -> Event:
    kind = draw(st.sampled_from(KINDS))
    changes: dict[str, Any] = {"user_id": draw(users), "response": draw(some_texts)}
    if draw(st.booleans()) and kind != "interaction":
        changes["prompt"] = ...
    if kind == "interaction" and changes["response"] is None:
        changes["response"] = "Hello."
    if kind == "retraction":
        changes["retracts"] = draw(st.fixed_dictionaries({"event_id": ids}) | st.just({"interaction_id": "i1"}))
    if kind == "correction":
        changes["corrected"] = draw(some_texts.filter(bool))
    made = at(draw(st.integers(min_value=0, max_value=3)), kind, "unset", **changes)
    delay = timedelta(hours=draw(st.integers(min_value=0, max_value=5)))
    return replace(made, received_at=made.occurred_at + delay, trusted=draw(st.booleans()))


several = st.lists(any_event(), min_size=1, max_size=6).map(
    lambda events: [replace(made, event_id=f"e{number}") for number, made in enumerate(events)]
)


@given(several, st.sampled_from(["last", "mean", "min", "max", "first"]), st.randoms())
def test_order_leaves_no_trace(events: list[Event], aggregate: str, random: Any) -> None:
    settings = JoinSettings.model_validate({"aggregate": aggregate})
    shuffled = events.copy()
    random.shuffle(shuffled)
    assert join(events, settings, SIMILARITY) == join(shuffled, settings, SIMILARITY)


def arrive(events: list[Event]) -> tuple[Joined, list[int]]:
    """Joins after each arrival and stores the signals in between, as intake does."""
    stored: dict[str, Event] = {}
    revisions = []
    for made in events:
        stored[made.event_id] = made
        joined = join(list(stored.values()), LAST, SIMILARITY)
        stored |= {name: replace(stored[name], signal=signal) for name, signal in joined.signals.items()}
        revisions.append(joined.example.revision)
    return joined, revisions


@given(several, st.randoms())
def test_arriving_one_by_one_ends_where_arriving_at_once_does(events: list[Event], random: Any) -> None:
    random.shuffle(events)
    one_by_one, revisions = arrive(events)
    assert one_by_one.example == join(events, LAST, SIMILARITY).example
    assert revisions == sorted(revisions)


def test_every_order_of_a_typical_day_is_the_same_example() -> None:
    day = [
        ASKED,
        bare(2, "correction", "c"),
        at(2, "thumb", "t", user_id="u2", response="Hello."),
        bare(3, "preference", "p"),
        bare(4, "retraction", "x", retracts={"event_id": "p"}),
    ]
    found = {repr(arrive(list(order))[0].example) for order in permutations(day)}
    assert len(found) == 1


@given(several)
def test_an_example_never_holds_what_was_taken_back_by_a_trusted_app(events: list[Event]) -> None:
    everything = replace(bare(0, "retraction", "z", retracts={"interaction_id": "i1"}), trusted=True)
    found = example(*events, everything)
    assert not found.labelled
    assert found.users == ()
    assert found.withdrawn == any(made.kind != "retraction" for made in events)


def test_pairs_keep_their_order_and_their_ties() -> None:
    found = example(ASKED, bare(3, "preference", "b", tie=True), bare(2, "preference", "a", chosen="Hi."))
    assert [(pair.chosen, pair.tie) for pair in found.pairs] == [("Hi.", False), ("Hello.", True)]


def thumb(hour: int, user: str | None, up: bool, **changes: Any) -> Event:
    return bare(hour, "thumb", f"t{hour}", user_id=user or ..., thumb="up" if up else "down", **changes)


@pytest.mark.parametrize(
    ("said", "variance"),
    [
        ([("a", True)], 0.0),
        ([("a", True), ("b", True)], 0.0),
        ([("a", True), ("b", False)], 0.25),
        ([("a", True), ("b", True), ("c", True), ("d", False)], 0.1875),
        ([("a", False), ("a", True)], 0.0),
        ([("a", False), ("b", True), ("a", True)], 0.0),
    ],
    ids=["one voice", "two that agree", "even", "three to one", "a change of mind", "a change of mind to the others'"],
)
def test_voices_that_contradict_each_other_are_kept_as_variance(said: list[tuple[str, bool]], variance: float) -> None:
    found = example(ASKED, *(thumb(hour, user, up) for hour, (user, up) in enumerate(said, start=2)))
    assert found.scalar is not None
    assert found.scalar.variance == pytest.approx(variance)


def test_criteria_do_not_contradict_each_other_and_a_validator_is_a_voice() -> None:
    criteria = example(ASKED, thumb(2, "a", True, criterion="tone"), thumb(3, "b", False, criterion="facts"))
    machine = example(ASKED, thumb(2, "a", True), bare(3, "validation", "v", score=0.0, user_id="a"))
    assert criteria.scalar is not None
    assert machine.scalar is not None
    assert (criteria.scalar.variance, machine.scalar.variance) == (0.0, 0.25)
