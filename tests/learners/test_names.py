"""Names are found without a grammar, replaced in prompt and answer alike, and their frame is swapped with care."""

from __future__ import annotations

from random import Random

from learners.names import names_of, rename, swap_frame

FORM = "Draw a diagram for these entities: {}."
SHOP = (FORM.format("Shop, Cart"), ("erDiagram Shop { id } Cart { shop_id } Shop has Cart",))
ZOO = (FORM.format("Lion, Cage"), ("erDiagram Lion { id } Cage { lion_id } Lion has Cage",))


def test_names_are_the_marked_words_that_prompt_and_answer_share() -> None:
    assert names_of([SHOP, ZOO]) == [("Shop", "Cart"), ("Lion", "Cage")]


def test_words_that_mean_something_in_both_are_no_names_beside_marked_ones() -> None:
    prompt = "Entities: Shop. Shop refers to itself."
    assert names_of([(prompt, ("Shop refers Shop",))]) == [("Shop",)]


def test_without_marked_words_those_count_that_few_rows_share() -> None:
    rows = [(f"select name from {t}", (f"SELECT name FROM {t}",)) for t in ("dogs", "cats", "birds", "fish")]
    assert names_of(rows) == [("dogs",), ("cats",), ("birds",), ("fish",)]


def test_a_name_is_replaced_everywhere_also_inside_snake_case() -> None:
    renamed = rename([SHOP[0], *SHOP[1]], ("Shop",), ["Lion"], Random(1))
    assert renamed is not None
    assert renamed[0] == FORM.format("Lion, Cart")
    assert renamed[1] == "erDiagram Lion { id } Cart { lion_id } Lion has Cart"


def test_names_swap_places_without_being_replaced_twice() -> None:
    texts = ("A1 then B1", "A1 B1 A1")
    assert rename(texts, ("A1", "B1"), ["C1", "D1"], Random(0)) in [
        ("C1 then D1", "C1 D1 C1"),
        ("D1 then C1", "D1 C1 D1"),
    ]


def test_a_replacement_has_the_shape_of_the_name_and_is_new_to_the_row() -> None:
    assert rename(SHOP[:1], ("Shop",), ["lion", "big_cat", "Cart", "Shop"], Random(1)) is None


def test_a_frame_is_swapped_with_another_that_asks_alike() -> None:
    other = ("Please sketch Lion, Cage now!", ZOO[1])
    names = names_of([SHOP, other])
    assert swap_frame(*SHOP, names[0], *other, names[1]) == "Please sketch Shop, Cart now!"


def test_a_frame_that_means_something_in_the_answer_is_left_alone() -> None:
    other = ("Draw Lion, Cage with an owner!", ("erDiagram Lion { id } Cage { owner } Lion has Cage",))
    names = names_of([SHOP, other])
    assert swap_frame(*SHOP, names[0], *other, names[1]) is None


def test_rows_that_list_their_names_in_another_way_do_not_ask_alike() -> None:
    other = ("Draw Lion within Cage!", ZOO[1])
    names = names_of([SHOP, other])
    assert swap_frame(*SHOP, names[0], *other, names[1]) is None


def test_rows_whose_answers_differ_do_not_ask_alike() -> None:
    other = ("Count Lion, Cage!", ("there are three Lion in every Cage of that place",))
    names = names_of([SHOP, other])
    assert swap_frame(*SHOP, names[0], *other, names[1]) is None
