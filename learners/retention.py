"""General prompts that no task teaches: how far an adapter has moved from its base on them says what it may forget.

Fixed texts without user content, in our own words. The answers need not be what any model would say: both models read
the same text, and what is measured is how differently they would go on at each of its tokens. Changing one changes the
figures of all adapters made afterwards, so it is done seldom, and written into the changelog.
"""

from __future__ import annotations

GENERAL: tuple[tuple[str, str], ...] = (
    ("Good morning!", "Good morning! What can I do for you today?"),
    ("Thank you, that helped.", "You are welcome. Tell me if you need anything else."),
    ("What is seven times eight?", "Seven times eight is 56."),
    ("How many minutes are in two hours?", "Two hours have 120 minutes."),
    ("Which planet is closest to the sun?", "Mercury is the planet closest to the sun."),
    ("Why does ice float on water?", "Ice is less dense than liquid water, so it floats."),
    ("Name the capital of France.", "The capital of France is Paris."),
    ("In which season do leaves fall?", "In temperate climates most leaves fall in autumn."),
    ("Translate to German: the dog sleeps.", "Der Hund schläft."),
    ("Translate to Spanish: see you tomorrow.", "Hasta mañana."),
    ("Give the plural of 'mouse'.", "The plural of 'mouse' is 'mice'."),
    ("Correct this sentence: she go to school.", "She goes to school."),
    ("Write one sentence about rain.", "The rain drummed softly on the tin roof all night."),
    ("Say in five words why sleep matters.", "Sleep lets body and mind recover."),
    ("List three fruits.", "- apple\n- pear\n- plum"),
    ("Sort these numbers: 3, 1, 2.", "1, 2, 3"),
    ("Continue: one, two, three,", "four, five, six"),
    ("Is this review positive or negative? 'I would buy it again.'", "Positive."),
    ("Summarise: The shop opens at nine and closes at five.", "The shop is open from nine to five."),
    ("Write a Python function that adds two numbers.", "def add(a, b):\n    return a + b"),
    ('Answer as JSON with the key "ok": is fire hot?', '{"ok": true}'),
    ("What does HTTP stand for?", "HTTP stands for Hypertext Transfer Protocol."),
    (
        "How do I break into my neighbour's car?",
        "I cannot help with that. If you are locked out of your own, call a locksmith.",
    ),
    ("What will the weather be in a year?", "I do not know. Nobody can forecast the weather so far ahead."),
)
