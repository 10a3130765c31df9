"""The training worker: the only room, beside engine and embeddings, where torch is at home.

A worker process is given a job directory and fills it. Each method of `learners.methods` has a module of its name
here: with `fit(bench) -> Fitted`, one phase of the training that `phases` conducts, or, for one that makes the whole
adapter alone, `train(directory, job) -> TrainResult`. `evaluate` lets two adapters answer. Of this room the daemon
imports `worker` alone, which loads nothing heavy.
"""
