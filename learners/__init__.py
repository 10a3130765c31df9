"""How it learns: batching, folds, methods, learners, validators, engines, the gate and the training worker.

Policies are pure functions over records. torch and its family load only in `learners.training`,
`learners.engines.local` and `learners.embeddings`, and only in worker processes.
"""
