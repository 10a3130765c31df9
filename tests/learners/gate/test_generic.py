"""Generic content is told by swapping prompts: an answer that fits any prompt is, one about its own is not."""

import random

from learners.gate.generic import find_generic, stems

NAMES = ["customer", "order", "invoice", "product", "teacher", "student", "flight", "passenger", "doctor", "guest"]


def prompts(count: int = 40) -> list[str]:
    chosen = random.Random(3)
    return [f"Draw a diagram for these entities: {', '.join(chosen.sample(NAMES, 3))}." for _ in range(count)]


def about(prompt: str) -> str:
    return "erDiagram " + " ".join(name.rstrip(".").title() for name in prompt.split(": ")[1].split(", "))


def share(found: list[bool | None]) -> float:
    return sum(bool(one) for one in found) / len(found)


def test_answers_about_their_own_prompts_are_not_generic() -> None:
    asked = prompts()
    assert share(find_generic(asked, [about(prompt) for prompt in asked])) == 0


def test_an_answer_that_names_nothing_is_generic() -> None:
    asked = prompts()
    assert share(find_generic(asked, [f"Entity{at} has foo and bar" for at in range(len(asked))])) == 1


def test_an_answer_that_names_everything_is_generic() -> None:
    asked = prompts()
    assert share(find_generic(asked, [f"{' '.join(NAMES)} {at}" for at in range(len(asked))])) == 1


def test_answers_to_other_prompts_are_mostly_generic() -> None:
    asked = prompts()
    said = [about(prompt) for prompt in asked]
    assert share(find_generic(asked, said[5:] + said[:5])) > 0.5


def test_one_answer_given_to_a_tenth_of_the_prompts_is_generic_even_where_it_fits() -> None:
    asked = prompts()
    said = [about(prompt) for prompt in asked[:-4]] + [" ".join(NAMES[:6])] * 4
    assert find_generic(asked, said)[-4:] == [True] * 4
    assert share(find_generic(asked, said)[:-4]) == 0


def test_words_that_every_prompt_has_count_nothing() -> None:
    asked = prompts()
    assert share(find_generic(asked, ["a diagram for these entities"] * 3 + [about(p) for p in asked[3:]])[:3]) == 1


def test_the_same_answer_to_the_same_prompt_again_is_no_repetition() -> None:
    asked = prompts(20) + [prompts(20)[0]] * 5
    assert not any(find_generic(asked, [about(prompt) for prompt in asked])[-5:])


def test_few_prompts_or_prompts_without_words_of_their_own_tell_nothing() -> None:
    assert find_generic(prompts(5), ["x"] * 5) == [None] * 5
    assert find_generic([f"{'a ' * at}" for at in range(1, 13)], [f"answer {at}" for at in range(12)]) == [None] * 12


def test_words_are_told_across_spellings_and_scripts() -> None:
    assert stems("OrderItems order_item Room101") == {"order", "items", "item", "room", "101"}
    assert stems("Bestellung bestellt") == {"beste"}
    assert stems("顧客 と 注文") == {"顧", "客", "と", "注", "文"}
