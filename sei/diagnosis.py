"""A round that stops after the error types: for given outputs, without a model to train."""

from __future__ import annotations

from dataclasses import replace

from sei.choice import Ending
from sei.loop import Errors, Round, name_errors, try_pool
from sei.ports import Skipping
from sei.records import ErrorMap, Opinion, RefinedSet, RoundRecord, Solved, Synthesis, Trained
from sei.stages.grade import GoldCheck, require_readable, with_sound_gold
from sei.store.uses import devices_by_stage, seconds_by_stage


def find_given_errors(r: Round, source: str) -> tuple[RoundRecord, Ending | None]:
    """Find the errors in given outputs and stop there: no synthesis, no refinement, no training.

    ``source`` names their file in messages. Returns the round's record, and the ending if there is nothing to learn.

    Raises:
        DataError: if the grader refuses gold answers.
        UnreadableAnswersError: if the outputs cannot be read.
    """
    grader = r.method.grade.grader
    refused = r.store.once(GoldCheck(grader=grader), r.data.pool)
    r = replace(r, data=with_sound_gold(r.data, refused, skip=isinstance(grader, Skipping) and grader.skip_bad_gold))
    graded = try_pool(r)
    require_readable(graded, r.method.max_unreadable, source, given=True)
    found = name_errors(r, graded)
    none = Errors(graded=graded, right=Solved(), diagnoses=(), error_map=ErrorMap(types=()), opinion=Opinion())
    errors, ending = (none, found) if isinstance(found, str) else (found, None)
    record = RoundRecord(
        round=r.number,
        graded=errors.graded,
        diagnoses=errors.diagnoses,
        error_map=errors.error_map,
        opinion=errors.opinion,
        synthesis=Synthesis(candidates=()),
        refined=RefinedSet(scored=()),
        training=(),
        trained=Trained(checkpoint=r.state.current, curve=(), steps=0, tokens=0, examples=0),
        evaluation=(),
        scores={},
        seconds=seconds_by_stage(r.store.uses),
        devices=devices_by_stage(r.store.uses),
    )
    return record, ending
