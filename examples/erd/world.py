"""The simulated world: sixteen domains, lists of entities drawn from them, and diagrams of those entities.

The base model, the demo's users and the fixed score prompts all draw from here, from four pools that share no entity
list: the pool of a list is a hash of its sorted names, so no order of the names and no seed can carry a list across.
`good_answer` is the diagram a careful user wants; `sloppy_answer` is what the base has learned to give. Everything is
a pure function of its arguments and a seed. This module does not score, and knows nothing of users or models.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

_PROMPT = "Draw an entity-relation diagram for these entities: {}."
_PROMPT_FORM = re.compile(r"for these entities:\s*(?P<names>[^.]*)")

# Each domain: label and operator of its relations, then `Entity.attribute` for each of its entities.
_DOMAINS = {
    "shop": (
        "places ||--o{",
        "Customer.name Order.status OrderItem.quantity Product.title Cart.created Coupon.code "
        "Category.name Payment.amount Shipment.status ProductReview.rating Brand.name Refund.amount",
    ),
    "school": (
        "teaches ||--o{",
        "Student.name Teacher.name Course.title Lesson.topic ExamResult.grade Classroom.number "
        "Semester.start Homework.topic ReportCard.grade Subject.title Parent.name Club.name",
    ),
    "hospital": (
        "treats ||--o{",
        "Patient.name Doctor.name Nurse.name Ward.number BloodTest.result Diagnosis.code Medicine.dose "
        "Surgery.date HospitalBed.number MedicalRecord.notes Appointment.date Symptom.name",
    ),
    "library": (
        "lends ||--o{",
        "Book.title Author.name Member.name Loan.date BookCopy.status Shelf.number Publisher.name "
        "BookGenre.name LibraryCard.number Fine.amount Librarian.name Magazine.title",
    ),
    "bank": (
        "owns ||--o{",
        "Account.balance Client.name Transfer.amount CreditCard.number Branch.city Mortgage.amount "
        "Deposit.amount Interest.rate AccountManager.name Statement.date Currency.code Safe.number",
    ),
    "airline": (
        "carries ||--|{",
        "Flight.number Passenger.name Pilot.name Airport.city BoardingPass.seat Luggage.weight "
        "Aircraft.model Gate.number FlightCrew.size Ticket.price Runway.length Hangar.number",
    ),
    "hotel": (
        "books ||--o{",
        "Guest.name Room.number Reservation.date RoomService.price Invoice.total Floor.number "
        "RoomKey.code Minibar.total GuestFeedback.rating Amenity.name HotelBar.size Terrace.size",
    ),
    "restaurant": (
        "serves ||--o{",
        "Dish.name Chef.name Waiter.name DiningTable.number Menu.title Ingredient.name Recipe.title "
        "Supplier.name TableBooking.date Kitchen.size Drink.price Bill.total",
    ),
    "football": (
        "plays }|--|{",
        "Team.name Player.name Match.date Goal.minute TrainingCamp.city Stadium.city Referee.name "
        "Coach.name SeasonPass.price League.name Trophy.title Injury.notes",
    ),
    "music": (
        "records ||--o{",
        "Artist.name Album.title Song.length Concert.date RecordLabel.name Playlist.title Band.name "
        "Instrument.name MusicVideo.length Festival.city Listener.name Lyrics.notes",
    ),
    "cinema": (
        "shows ||--|{",
        "Movie.title Actor.name Director.name Screening.start MovieTheater.city Scene.length "
        "MovieScript.title Studio.city FilmAward.title Trailer.length Seat.number Critic.name",
    ),
    "farm": (
        "grows ||--o{",
        "Farmer.name Field.size Crop.name Harvest.weight MilkTank.size Barn.size Tractor.model "
        "Animal.weight SeedBatch.quantity FencePost.length Well.depth AppleTree.size",
    ),
    "office": (
        "leads ||--o{",
        "Employee.name Department.name Project.title Meeting.date SalaryBand.amount Contract.start "
        "Manager.name Desk.number TimeSheet.total Vacation.start Budget.total Policy.title",
    ),
    "factory": (
        "makes ||--|{",
        "Machine.model Worker.name Part.code Shift.start AssemblyLine.length Stock.size Robot.model "
        "Inspection.result SpareWheel.size Pallet.weight Tool.name Defect.notes",
    ),
    "forum": (
        "writes ||--o{",
        "Writer.name Post.title Comment.notes Thread.topic UserProfile.name Badge.name Moderator.name "
        "Vote.rating PrivateMessage.notes Topic.title Report.status Poll.title",
    ),
    "garage": (
        "repairs ||--o{",
        "Car.model Mechanic.name Repair.price CarEngine.model OilChange.date Tire.size Owner.name "
        "Insurance.price BrakeCheck.result Battery.weight Lift.number Paint.code",
    ),
}

_TYPES = {
    "int": "quantity number minute size rating dose",
    "float": "amount balance total price rate weight length depth",
    "date": "date created start",
}  # every other attribute is a string
_PLACEHOLDERS = ("foo", "bar", "todo", "field1", "field2", "xxx")
_HOUSE_WORDS = ("created", "updated", "owner", "region", "source", "batch", "group", "legal", "team", "audit")
_HOUSE_ENDS = ("id", "at", "by", "code", "key")
_SYLLABLES = ("ten", "an", "ant", "or", "mi", "lo", "ca", "der", "fi", "sal", "tu", "re", "pon", "vi", "gar", "te")


class Pool(Enum):
    """Whose entity lists: values are (first, end) of the hash buckets of 100 that belong to it."""

    PRETRAINING = (0, 50)
    EVENTS = (50, 80)
    GATE = (80, 90)
    SCORE = (90, 100)


@dataclass(frozen=True, slots=True)
class Wish:
    """What users want beyond a right diagram: attributes that every entity must carry, by name."""

    required_fields: tuple[str, ...] = ()


BEFORE = Wish()
AFTER = Wish(("tenant_id",))  # pretraining shows pieces of this name, never the name nor the word before its underscore


@dataclass(frozen=True, slots=True)
class _Entity:
    attribute: str
    label: str
    operator: str


def prompt_of(entities: tuple[str, ...]) -> str:
    """The user prompt that asks for a diagram of these entities."""
    return _PROMPT.format(", ".join(entities))


def entities_of(prompt: str) -> tuple[str, ...]:
    """The entities that a prompt asks for, in its order; empty where it is not such a prompt."""
    found = _PROMPT_FORM.search(prompt)
    return tuple(name.strip() for name in found["names"].split(",") if name.strip()) if found else ()


def pool_of(entities: tuple[str, ...]) -> Pool:
    """The pool a list belongs to, whatever the order of its names."""
    digest = hashlib.sha256("\n".join(sorted(entities)).encode()).digest()
    bucket = int.from_bytes(digest[:4], "big") % 100
    return next(pool for pool in Pool if pool.value[0] <= bucket < pool.value[1])


def entity_lists(pool: Pool, seed: int, *, distinct: bool = True) -> Iterator[tuple[str, ...]]:
    """Lists of 2 to 5 entities of one domain, without end; `distinct` gives no set of names twice.

    A pool holds thousands of distinct lists (Pool.GATE, the smallest with SCORE, more than 2,000), few of them short.
    """
    rng = random.Random(f"{pool.name}:{seed}")
    domains = [tuple(part.split(".")[0] for part in entities.split()) for _, entities in _DOMAINS.values()]
    seen: set[tuple[str, ...]] = set()
    while True:
        drawn = tuple(rng.sample(rng.choice(domains), rng.randint(2, 5)))
        key = tuple(sorted(drawn))
        if pool_of(drawn) is pool and not (distinct and key in seen):
            seen.add(key)
            yield drawn


def prompts(pool: Pool, count: int, seed: int = 0) -> list[str]:
    """`count` distinct prompts of a pool."""
    lists = entity_lists(pool, seed)
    return [prompt_of(next(lists)) for _ in range(count)]


def score_prompts() -> list[str]:
    """The 200 fixed prompts on which every adapter is scored; no other pool holds any of their entity lists."""
    return prompts(Pool.SCORE, 200)


def good_answer(entities: tuple[str, ...], wish: Wish = BEFORE) -> str:
    """The diagram a careful user wants: every entity with its key, the wished fields, and a chain of relations."""
    blocks = [
        entity_block(name, (key_line(), *map(field_line, wish.required_fields), own_line(name))) for name in entities
    ]
    relations = [relation_line(left, right) for left, right in pairwise(entities)]
    return diagram([*blocks, *relations])


def diagram(lines: list[str]) -> str:
    """A whole diagram from entity blocks and relation lines."""
    return "\n".join(["erDiagram", *lines])


def entity_block(name: str, lines: tuple[str, ...]) -> str:
    """One entity with its attribute lines."""
    return "\n".join([f"  {name} {{", *lines, "  }"])


def key_line() -> str:
    """The primary key that every good block has."""
    return "    int id PK"


def field_line(name: str) -> str:
    """An attribute without key; its type follows from its name."""
    kind = next((kind for kind, names in _TYPES.items() if name in names.split()), "string")
    return f"    {kind} {name}"


def relation_line(left: str, right: str) -> str:
    """A relation as the left entity's domain draws it; `has`, one to many, for an entity of no domain."""
    about = _entity(left)
    return f"  {left} {about.operator} {right} : {about.label}"


def sloppy_answer(entities: tuple[str, ...], rng: random.Random) -> str:
    """A flawed diagram, of the kind the base learns: see `_Habits` for what goes wrong and how often."""
    habits = _Habits.draw(entities, rng)
    kept = entities[: max(1, len(entities) - habits.dropped)]
    house = (field_line(_house_field(rng)),) if habits.house else ()
    blocks = [_sloppy_block(name, habits, house, rng) for name in kept]
    pairs = list(pairwise(kept))[: habits.relations]
    text = diagram([*blocks, *(relation_line(*pair) for pair in pairs)])
    return _broken(text) if habits.broken else text


@dataclass(frozen=True, slots=True)
class _Habits:
    """The faults of one sloppy answer. They are independent of each other, so each skill is seen on its own."""

    dropped: int  # entities left out, from the end of the list
    keyed: bool  # entities have their primary key
    relations: int  # relations drawn before it stops
    placeholder: bool  # attributes are placeholders
    broken: bool  # does not parse
    house: bool  # every entity carries one more field, as some houses want it

    @classmethod
    def draw(cls, entities: tuple[str, ...], rng: random.Random) -> _Habits:
        """Draw the faults.

        Most are likelier than not, so that a model that learned from them shows them in its likeliest answer; yet each
        skill is seen often enough to be brought out by a few corrections. The shares were set by trial so that the base
        scores about 53 of 100.
        """
        count, home = len(entities), sorted(_DOMAINS).index(domain_of(entities[0]))
        return cls(
            dropped=rng.choices((0, 1, 2), (0.4, 0.55, 0.05) if count > 3 else (0.65, 0.35, 0.0))[0],
            keyed=rng.random() < 0.28,
            relations=rng.choices((0, 1, count), (0.58, 0.03, 0.39))[0],
            placeholder=rng.random() < (0.74 if home % 2 else 0.32),
            broken=rng.random() < (0.3 if home % 8 == 0 else 0.02),
            house=rng.random() < 0.45,
        )


def _sloppy_block(name: str, habits: _Habits, house: tuple[str, ...], rng: random.Random) -> str:
    line = field_line(rng.choice(_PLACEHOLDERS)) if habits.placeholder else own_line(name)
    key = (key_line(),) if habits.keyed else ()
    return entity_block(name, (*key, *house, line))


def _house_field(rng: random.Random) -> str:
    """A field of some house, such as `region_code`, or with an invented word before it; never one of `AFTER`."""
    invented = "".join(rng.choice(_SYLLABLES) for _ in range(rng.randint(2, 3)))
    name = f"{rng.choice((rng.choice(_HOUSE_WORDS), invented))}_{rng.choice(_HOUSE_ENDS)}"
    return _house_field(rng) if any(f.split("_")[0] in name for f in AFTER.required_fields) else name


def _broken(text: str) -> str:
    """Without the last closing brace, as a hurried writer leaves it."""
    head, _, tail = text.rpartition("\n  }")
    return head + tail


def own_line(name: str) -> str:
    """The attribute that an entity is known by."""
    return field_line(_entity(name).attribute)


def domain_names() -> tuple[str, ...]:
    """The domains, sorted."""
    return tuple(sorted(_DOMAINS))


def domain_of(entity: str) -> str:
    """The domain of an entity; `shop` for one of none."""
    return next((d for d, (_, entities) in _DOMAINS.items() if f" {entity}." in f" {entities}"), "shop")


def _entity(name: str) -> _Entity:
    for relation, entities in _DOMAINS.values():
        for part in entities.split():
            if part.split(".")[0] == name:
                label, operator = relation.split()
                return _Entity(part.split(".")[1], label, operator)
    return _Entity("name", "has", "||--o{")
