"""Task `booking`: a sentence about a booking becomes JSON. Another kind of task than `erd`, and built like it.

    Anna Berg books a table for 4 on Friday at 19.
    {"name": "Anna Berg", "thing": "table", "people": 4, "day": "Friday", "hour": 19}

The score of 100 is 40 for the shape, as the product's validator `json_schema` sees it (the share of its sub-checks that
hold), and 60 for the share of the asked fields whose value is right. An edge case is one more sentence, and passes when
the answer is JSON and has that field right; it does not count in the score.

    guest    "Also for Tom."       "also": ["Tom"]
    never    "Not on Monday."      "not_on": ["Monday"]
    pays     "Pays by card."       "payment": {"by": "card"}

Generic is an answer with neither the name nor the thing that it was given.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import cache
from typing import Any

from examples.erd.world import Pool, pool_of
from learners.validators import Validator, open_validator

from . import Ask, Faults, Judged

_FIRST = [
    "Anna",
    "Tom",
    "Mia",
    "Leo",
    "Eva",
    "Max",
    "Nina",
    "Paul",
    "Lena",
    "Oskar",
    "Clara",
    "Hugo",
    "Ida",
    "Emil",
    "Rosa",
    "Karl",
    "Vera",
    "Felix",
    "Marta",
    "Jonas",
    "Greta",
    "Simon",
    "Alma",
    "Bruno",
    "Tilda",
    "Anton",
    "Sofia",
    "Viktor",
    "Helena",
    "Martin",
    "Judith",
    "Robert",
]
_LAST = [
    "Berg",
    "Stone",
    "Weber",
    "Lang",
    "Fischer",
    "Moreau",
    "Silva",
    "Novak",
    "Keller",
    "Rossi",
    "Brandt",
    "Larsen",
    "Costa",
    "Vogel",
    "Winter",
    "Sommer",
    "Becker",
    "Dubois",
    "Hansen",
    "Mayer",
    "Roth",
    "Krause",
    "Engel",
    "Jansen",
]
_THINGS = [
    "table",
    "room",
    "court",
    "boat",
    "car",
    "bike",
    "tent",
    "studio",
    "hall",
    "piano",
    "desk",
    "kayak",
    "cabin",
    "sauna",
    "lesson",
    "tour",
    "massage",
    "haircut",
    "checkup",
    "interview",
    "garden",
    "kitchen",
    "stage",
    "van",
]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_METHODS = ("card", "cash", "invoice", "voucher")
_SENTENCES = (
    "{name} books a {thing} for {people} on {day} at {hour}.",
    "On {day} at {hour} {name} needs a {thing} for {people}.",
    "A {thing} for {people}, {day} at {hour}, please: {name}.",
    "{people} people want a {thing} on {day} at {hour}, under {name}.",
)
_SAID = {"guest": "Also for {0}.", "never": "Not on {0}.", "pays": "Pays by {0}."}
_FIELDS = ("name", "thing", "people", "day", "hour")
_FILLERS = {"name": "string", "thing": "thing", "people": 0, "day": "day", "hour": 0}
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": list(_FIELDS),
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        "thing": {"type": "string"},
        "people": {"type": "integer", "minimum": 1},
        "day": {"enum": _DAYS},
        "hour": {"type": "integer", "minimum": 0, "maximum": 23},
        "also": {"type": "array", "items": {"type": "string"}},
        "not_on": {"type": "array", "items": {"enum": _DAYS}},
        "payment": {"type": "object", "properties": {"by": {"enum": list(_METHODS)}}},
    },
}


class Booking:
    """See the module."""

    name = "booking"
    chunks = r"[A-Z]?[a-z]+|\d+|[^A-Za-z\d]+|[A-Z]+"
    vocabulary_size = 512
    max_tokens = 96
    validator: tuple[str, dict[str, Any]] = ("json_schema", {"schema": _SCHEMA})
    rare_kinds = tuple(_SAID)
    fault_names = ("generic", "dropped", "text", "short", "filler", "broken", "chatty", "plain")
    homes = tuple(_THINGS)

    def asks(self, pool: Pool, seed: int, rare_share: float, *, distinct: bool = True) -> Iterator[Ask]:
        """As the protocol says."""
        rng, seen = random.Random(f"{pool.name}:{seed}:booking"), set()
        while True:
            facts = _facts(rng)
            if pool_of(facts) is pool and not (distinct and facts in seen):
                seen.add(facts)
                yield _ask(facts, rng, rare_share)

    def home_of(self, ask: Ask) -> str:
        """What is booked."""
        return ask.facts[1]

    def good_answer(self, ask: Ask) -> str:
        """All five fields, and the edge case."""
        return json.dumps({**_wanted(ask), **_edge(ask)})

    def faulty_answer(self, ask: Ask, faults: Faults, rng: random.Random) -> str:
        """JSON with the faults of the thing that is booked."""
        home = self.home_of(ask)
        has = {name: faults.draw(name, home, self.homes, rng) for name in self.fault_names if name != "plain"}
        if has["generic"]:
            return json.dumps(_FILLERS)
        fields = _spoiled(_wanted(ask), has)
        if ask.rare and not faults.draw("plain", home, self.homes, rng):
            fields |= _edge(ask)
        text = json.dumps(fields)
        text = text[:-1] if has["broken"] else text
        return f"Here it is: {text}" if has["chatty"] else text

    def hostile_answer(self, ask: Ask) -> str:
        """An object of the right shape that has nothing of the sentence."""
        del ask
        return json.dumps({"name": "Nobody", "thing": "nothing", "people": 1, "day": "Monday", "hour": 0})

    def judge(self, ask: Ask, answer: str) -> Judged:
        """As the module says; what failed is a field that is wrong, else the shape, else the edge case."""
        shape, members = _validator().validate(ask.prompt, answer), _members(answer)
        wanted = _wanted(ask)
        right = [name for name in _FIELDS if _same(members.get(name), wanted[name])]
        edge = None if ask.rare is None else all(members.get(name) == value for name, value in _edge(ask).items())
        wrong = next((name for name in _FIELDS if name not in right), None if shape.passed else "shape")
        score = 0.4 * shape.score + 0.6 * len(right) / len(_FIELDS)
        generic = ask.facts[0].split()[0] not in answer and ask.facts[1] not in answer
        return Judged(score, generic=generic, edge=edge, failed=wrong or (ask.rare if edge is False else None))


TASK = Booking()


@cache
def _validator() -> Validator:
    name, settings = Booking.validator
    return open_validator(name, settings)


def _facts(rng: random.Random) -> tuple[str, ...]:
    """Name, thing, people, day, hour."""
    name = f"{rng.choice(_FIRST)} {rng.choice(_LAST)}"
    return (name, rng.choice(_THINGS), str(rng.randint(1, 9)), rng.choice(_DAYS), str(rng.randint(8, 22)))


def _ask(facts: tuple[str, ...], rng: random.Random, rare_share: float) -> Ask:
    said = rng.choice(_SENTENCES).format(**dict(zip(_FIELDS, facts, strict=True)))
    if rng.random() >= rare_share:
        return Ask(said, facts)
    kind = rng.choice(tuple(_SAID))
    others = {"guest": _FIRST, "never": [day for day in _DAYS if day != facts[3]], "pays": _METHODS}
    extra = rng.choice(others[kind])
    return Ask(f"{said} {_SAID[kind].format(extra)}", facts, kind, (extra,))


def _wanted(ask: Ask) -> dict[str, Any]:
    name, thing, people, day, hour = ask.facts
    return {"name": name, "thing": thing, "people": int(people), "day": day, "hour": int(hour)}


def _edge(ask: Ask) -> dict[str, Any]:
    if ask.rare is None:
        return {}
    fields: dict[str, dict[str, Any]] = {
        "guest": {"also": [ask.extra[0]]},
        "never": {"not_on": [ask.extra[0]]},
        "pays": {"payment": {"by": ask.extra[0]}},
    }
    return fields[ask.rare]


def _spoiled(fields: dict[str, Any], has: dict[str, bool]) -> dict[str, Any]:
    """Numbers as text, the day cut short, the name or the last fields missing."""
    if has["text"]:
        fields |= {"people": str(fields["people"]), "hour": str(fields["hour"])}
    if has["short"]:
        fields["day"] = fields["day"][:3]
    if has["filler"]:
        fields["name"] = _FILLERS["name"]
    if has["dropped"]:
        del fields["hour"], fields["people"]
    return fields


def _members(answer: str) -> dict[str, Any]:
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _same(said: object, wanted: object) -> bool:
    """Equal and of one type: `true` is not 1, and "4" is not 4."""
    return type(said) is type(wanted) and said == wanted
