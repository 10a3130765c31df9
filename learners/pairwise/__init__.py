"""Which of two answers people would prefer, for tasks without a validator. Torch-free.

head.py   a head over frozen embeddings, learned from the pairs of the task's own people
judge.py  another model behind an OpenAI-compatible address, asked in both orders
"""
