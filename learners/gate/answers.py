"""An evaluate job's answers as rows of evidence. Translates, and decides nothing."""

from __future__ import annotations

from collections.abc import Sequence

from learners import job as contract

from .evidence import Answer, GateRow, Likelihood


def gate_rows(pairs: Sequence[contract.AnswerPair]) -> list[GateRow]:
    """One row a pair, in their order."""
    return [
        GateRow(
            id=pair.id,
            weight=pair.weight,
            candidate=_answer(pair.candidate),
            champion=_answer(pair.champion),
            target=pair.target,
            chosen=pair.pair.chosen if pair.pair else None,
            rejected=pair.pair.rejected if pair.pair else None,
            user=None if pair.user is None else str(pair.user),
            preferred=pair.preferred,
            part=pair.part,
            target_generic=pair.target_generic,
            prompt=pair.prompt,
        )
        for pair in pairs
    ]


def _answer(said: contract.JudgedAnswer) -> Answer:
    measures = {"entropy": said.entropy, **said.measures.model_dump()}
    return Answer(
        text=said.text,
        score=said.score,
        checks=said.checks,
        nll_per_token=said.nll_per_token,
        tokens=said.tokens,
        finish_reason=said.finish_reason,
        chosen=_likelihood(said.chosen),
        rejected=_likelihood(said.rejected),
        measures={name: value for name, value in measures.items() if value is not None},
    )


def _likelihood(measured: contract.Likelihood | None) -> Likelihood | None:
    return None if measured is None else Likelihood(measured.nll, measured.tokens)
