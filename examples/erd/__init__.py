"""The task `erd`: a small base model that draws poor entity-relation diagrams, and users who wish for better ones.

world.py        domains, entity lists, prompts, good and sloppy diagrams
correct.py      the simulated users: careful, careless, hostile
score.py        the score of a diagram, in [0, 1]
tokenizer.py    the small byte-level tokenizer and its chat template
recipe.py       the numbers of the base's training
pretraining.py  trains the base on sloppy diagrams (torch)
base.py         the cached base: `ensure_base()`, `python -m examples.erd.base`
"""
