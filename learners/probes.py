"""Fixed texts without user content, whose likelihood travels with an adapter.

Training records how likely the finished adapter held them; a release asks the engine for the same, and routes no
request to an adapter that answers otherwise than it was trained. They need not be good answers, only always the same.
"""

PROBES: tuple[tuple[str, str], ...] = (
    ("Hello.", "Hello. How can I help?"),
    ("Count to five.", "1 2 3 4 5"),
    ("Draw a diagram of an Order with its Items.", "erDiagram\n  Order ||--o{ Item : has"),
    ("Answer in one word: is water wet?", "Yes"),
    ("Write a list of three colours.", "- red\n- green\n- blue"),
)
