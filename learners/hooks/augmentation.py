"""Learner `augmentation` (hook `expand`): two or three rows for each of the batch. Off by default.

    renaming          names that stand in prompt and answer are replaced in both, by names of other rows
    context           the words around those names are swapped for those of another row that asks alike
    best_of_n         of n answers of the champion the best that passes is a target, best and worst are a pair
    paraphrase        the champion is asked to say the prompt in other words
    back_translation  the champion translates the prompt into another language and back

The first two need no model; all but the first need a validator. Nothing that is made is believed: where the task has a
validator, each row must pass it (`learners.expansion` keeps or drops them, and counts why). The champion is asked by
the worker itself, greedily for the last two.

Limits: a name is a word with a capital, a digit or an underscore in it; only where no row has such, any word that few
rows share with their answers. Attributes that belonged to a name stay behind when it is replaced.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, zip_longest
from random import Random

from consumers.cleaning import last_asked
from learners.hooks import Learner
from learners.hooks.contract import Context, Expanded, Made, Sample
from learners.names import names_of, rename, swap_frame
from storage.records import Message, Row
from storage.records.settings import Settings, setting

_WAYS = {
    "renaming": "renaming names",
    "context": "swapping the words around names",
    "best_of_n": "the best of n answers",
    "paraphrase": "rewording prompts",
    "back_translation": "translating prompts there and back",
}
SPARE = 4  # renamings tried for each that is wanted, since some will not pass
MOST_ASKED = 64  # prompts that the champion is asked, for each way
PARAPHRASE = "Say this in other words. Keep every name as it is. Answer with the new wording alone.\n\n{}"
TRANSLATE = "Translate this into {}. Keep every name as it is. Answer with the translation alone.\n\n{}"


class AugmentationSettings(Settings):
    """Settings of `updates.augmentation`."""

    growth: int = setting(3, doc="Rows for each row of the batch, itself included.", unit="rows", ge=2, le=4)
    weight: float = setting(0.5, doc="What a made row counts, of what its parent counts.", unit="share", gt=0, le=0.95)
    renaming: bool = setting(True, doc="Replace names that prompt and answer share, in both.")
    context: bool = setting(True, doc="Swap the words around those names for another row's; needs a validator.")
    best_of_n: int = setting(
        0,
        doc="Answers that the champion is asked for to each prompt: the best that passes is a target, best and worst "
        "make a pair. 0: off; needs a validator.",
        unit="answers",
        ge=0,
        le=32,
    )
    temperature: float = setting(0.8, doc="How far the answers of best_of_n stray.", unit="temperature", gt=0, le=2)
    paraphrase: bool = setting(False, doc="Let the champion reword prompts; needs a validator.")
    back_translation: str = setting(
        "off", doc="A language, such as French: let the champion translate prompts there and back; needs a validator."
    )


def expand(rows: Sequence[Row], context: Context) -> Expanded:
    """Rows made in every way that is on, taking turns."""
    settings: AugmentationSettings = context.settings
    random = Random(context.seed)
    judged = bool(rows) and context.tools.validate(rows[0].messages, rows[0].completion) is not None
    ways: dict[str, Iterator[Made]] = {}
    if settings.renaming:
        ways["renaming"] = _renamed(rows, (settings.growth - 1) * SPARE, random)
    if settings.context and judged:
        ways["context"] = _in_other_frames(rows, random)
    if settings.best_of_n > 1 and judged:
        ways["best_of_n"] = _sampled(rows, context)
    if settings.paraphrase and judged:
        ways["paraphrase"] = _reworded(rows, context)
    if settings.back_translation != "off" and judged:
        ways["back_translation"] = _translated(rows, context)
    found = {how: [_lighter(one, settings.weight) for one in made] for how, made in ways.items()}
    turns = tuple(one for one in chain.from_iterable(zip_longest(*found.values())) if one is not None)
    wanted = len(rows) * (settings.growth - 1)
    reasons = [f"{wanted} rows wanted from {len(rows)}: " + (", ".join(found) or "no way to make them is on")]
    if not judged:
        reasons.append("there is no validator, so only names were replaced")
    numbers = {"asked": float(wanted), **{f"tried_{how}": float(len(made)) for how, made in found.items()}}
    return Expanded(turns, settings.growth - 1, tuple(reasons), numbers)


def _lighter(made: Made, share: float) -> Made:
    return replace(made, row=replace(made.row, weight=share * made.row.weight))


def _renamed(rows: Sequence[Row], times: int, random: Random) -> Iterator[Made]:
    """Every row with other names, the first time all rows, then again."""
    names = names_of([(last_asked(row.messages), _texts(row)) for row in rows])
    known = sorted(set(chain.from_iterable(names)))
    for _ in range(times):
        for place, row in enumerate(rows):
            prompt, texts = last_asked(row.messages), _texts(row)
            renamed = rename([prompt, *texts], names[place], known, random)
            if renamed is not None:
                yield Made(place, "renaming", _with_texts(_asking(row, renamed[0]), renamed[1:]))


def _in_other_frames(rows: Sequence[Row], random: Random) -> Iterator[Made]:
    """Every row in the frame of each other that asks alike."""
    asked = [(last_asked(row.messages), _texts(row)) for row in rows]
    names = names_of(asked)
    for place, row in enumerate(rows):
        donors = [other for other in range(len(rows)) if other != place]
        swapped = (swap_frame(*asked[place], names[place], *asked[other], names[other]) for other in donors)
        prompts = sorted({prompt for prompt in swapped if prompt is not None})
        for prompt in random.sample(prompts, len(prompts)):
            yield Made(place, "context", _asking(row, prompt))


def _sampled(rows: Sequence[Row], context: Context) -> Iterator[Made]:
    """A target for each row, and a pair where the champion's answers differ in worth.

    The best is offered also where it does not pass, so that it is counted why it was not kept.
    """
    n: int = context.settings.best_of_n
    some = rows[:MOST_ASKED]
    said = context.tools.answers([row.messages for row in some], n, context.settings.temperature)
    for place, (row, samples) in enumerate(zip(some, said, strict=True)):
        scored = [(one, context.tools.validate(row.messages, one.text)) for one in samples]
        found = sorted(((v.score, v.passed, one) for one, v in scored if v is not None), key=lambda each: -each[0])
        whole = [(passed, one) for _, passed, one in found if one.imitable(row.messages)]
        if not whole:
            continue
        (good, best), (worth, fine, worst) = max(whole, key=lambda each: each[0]), found[-1]
        yield Made(place, "best_of_n", _as_target(row, best.text))
        if good and not fine and worth < found[0][0]:
            yield Made(place, "best_of_n", replace(_as_target(row, best.text), role="pair", rejected=worst.text))


def _reworded(rows: Sequence[Row], context: Context) -> Iterator[Made]:
    yield from _asked_anew(rows, context, "paraphrase", PARAPHRASE)


def _translated(rows: Sequence[Row], context: Context) -> Iterator[Made]:
    there = TRANSLATE.format(context.settings.back_translation, "{}")
    yield from _asked_anew(rows, context, "back_translation", there, TRANSLATE.format("English", "{}"))


def _asked_anew(rows: Sequence[Row], context: Context, how: str, *instructions: str) -> Iterator[Made]:
    """The prompts after the champion did to them what it was told, in turn."""
    some = rows[:MOST_ASKED]
    said: list[Sample] = [Sample(last_asked(row.messages), True) for row in some]
    for instruction in instructions:
        prompts = [(Message("user", instruction.replace("{}", one.text)),) for one in said]
        answers = context.tools.answers(prompts, 1, 0.0)
        said = [Sample(new[0].text, old.whole and new[0].whole) for old, new in zip(said, answers, strict=True)]
    for place, one in enumerate(said):
        if one.whole and one.text.strip():
            yield Made(place, how, _asking(some[place], one.text.strip()))


def _as_target(row: Row, text: str) -> Row:
    return replace(row, completion=text, role="target", signal=1.0, reward=1.0, rejected=None)


def _texts(row: Row) -> tuple[str, ...]:
    """What was answered; of a pair both texts, of a correction only what it was corrected to."""
    return (row.completion, row.rejected) if row.role == "pair" and row.rejected else (row.completion,)


def _with_texts(row: Row, texts: Sequence[str]) -> Row:
    """A correction's `rejected` keeps the old names, and is not what is learned from: it goes."""
    return replace(row, completion=texts[0], rejected=texts[1] if len(texts) > 1 else None)


def _asking(row: Row, prompt: str) -> Row:
    """The row with its last question put so."""
    last = max((at for at, message in enumerate(row.messages) if message.role == "user"), default=None)
    messages = tuple(replace(m, content=prompt) if at == last else m for at, m in enumerate(row.messages))
    return replace(row, messages=messages)


LEARNER = Learner(
    name="augmentation",
    doc="Make two or three rows of each of the batch: other names, other wordings, other answers that pass.",
    Settings=AugmentationSettings,
    expand=expand,
    figures={
        "asked": "Rows that were wanted: `growth` - 1 for each of the batch.",
        **{f"tried_{how}": f"Rows that {what} offered." for how, what in _WAYS.items()},
    },
)
