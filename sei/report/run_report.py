"""Writes the run folder as rounds finish; a run needs nothing else from this package."""

from __future__ import annotations

import dataclasses
import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sei.choice import Ending, Evaluated, best_on_dev, stop_reason
from sei.clusterers.none import NoClustering
from sei.errors import ConfigError, SeiError
from sei.exits import was_signal
from sei.loop import Method, SoFar
from sei.models.target import TargetModel
from sei.prompts import asked
from sei.records import Graded, RoundRecord, Score
from sei.report import console
from sei.report.cards import Origin, described
from sei.report.dataset import write_dataset
from sei.report.flow import flows, places
from sei.report.folder import write_json, write_merged, write_round, write_rows
from sei.report.inputs import settings_digest
from sei.report.ledger import last_trained, ledger
from sei.report.lm_eval import write_lm_eval
from sei.report.model_folder import instead, write_model
from sei.report.page import write_page
from sei.report.page.files import FAILURE, Known, parsed
from sei.report.pictures import Shown, draw
from sei.report.summary import (
    config_digest,
    contents,
    from_environment,
    git_commit,
    instructor_dict,
    machine,
    round_dict,
    score_dict,
)
from sei.stages.diagnose import RefusedDiagnosesError
from sei.stages.grade import bad_cases
from sei.stages.harvest import NothingKeptError
from sei.stages.review import read_review
from sei.stages.sampled import decoding
from sei.store import Store, Use, write_atomic

log = logging.getLogger("sei")
Stage = tuple[str, dict[str, Score]]  # its name and its scores
_SEVERAL = 3  # from this many different keyphrases, one error type is unlikely


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """The run folder of one job: files of every round, pictures, page, summary, ledger and model.

    ``config`` is the job's resolved config; ``rounds`` the maximum number of rounds. ``store`` keeps the pictures.
    ``inputs``: the digest of the files that the config names, before the run.
    """

    folder: Path
    experiment: str
    seed: int
    rounds: int
    config: dict[str, Any]
    model: TargetModel
    method: Method
    data: Any
    store: Store
    inputs: str = ""
    known: Known = field(default_factory=dict)  # what the pages so far have read

    def publish(self, evaluated: Sequence[Evaluated]) -> dict[str, Any]:
        """Write the results of the last of ``evaluated``; return its part of the summary."""
        last = evaluated[-1]
        (self.folder / FAILURE).unlink(missing_ok=True)  # from an earlier attempt: the run continues
        for name, score in last.scores.items():
            if score.unreadable or score.cut:
                said = (name, score.unreadable, score.n, score.cut)
                log.info("%s: %d of %d answers are unreadable, %d were cut at engine.max_new_tokens", *said)
        where = self.folder / ("base" if last.record is None else f"round_{last.record.round}")
        write_lm_eval(
            where / "lm_eval",
            last.graded,
            self._prompts(last.graded),
            model=self.model.name,
            digest=last.checkpoint.digest,
            commit=git_commit(),
            shots=len(self.model.shots()),
            temperature=decoding(self.method.attempt)[1],
        )
        if last.record is None:
            report: dict[str, Any] = {
                "model": {"name": self.model.name, "source": self.model.source, "revision": self.model.revision},
                "scores": score_dict(last.scores),
                "seconds": last.seconds,
                "devices": last.devices,
            }
            write_json(where / "report.json", report)
        else:
            report = round_dict(last.record, evaluated[-2].graded)
            self._warn_of_one_type(last.record)
            self._warn_of_unseen_phrases(last.record)
            write_round(self.folder, last.record, report)
            records = [e.record for e in evaluated if e.record is not None]
            write_dataset(where / "dataset", records, report["dropped"], self._origin())
            write_json(self.folder / "error_type_flow.json", [dataclasses.asdict(f) for f in flows(records)])
            _draw(self.folder, records, _stages(evaluated), self.store)
        write_page(self.folder, so_far=len(evaluated) - 1, known=self.known)
        return report

    def _warn_of_one_type(self, record: RoundRecord) -> None:
        """Warn if different phrases became one error type, unless that was configured."""
        phrases = {k.phrase for t in record.error_map.types for k in t.members}
        asked_for = isinstance(self.method.cluster.clusterer, NoClustering)
        if len(record.error_map.types) == 1 and len(phrases) >= _SEVERAL and not asked_for:
            log.warning(
                "round %d: %d different keyphrases became one error type, %r. More bad cases separate types better, as "
                "does a smaller clusterer.min_types or min_mean_size; clusterer=llm groups a few phrases by their "
                "meaning",
                *(record.round, len(phrases), record.error_map.types[0].name),
            )

    def _warn_of_unseen_phrases(self, record: RoundRecord) -> None:
        """Warn if the review file lists phrases that no bad case of the first round has, such as misspelt ones."""
        if not self.method.cluster.review or record.round > 1:
            return
        phrases = [d.keyphrase.phrase for d in record.diagnoses if d.keyphrase is not None]
        unseen = read_review(self.method.cluster.review).unseen(phrases)
        if unseen:
            log.warning(
                "review=%s: %d of its phrases belong to no bad case of round 1, such as %r. They move nothing there. "
                "Remedy: copy phrases as error_types.yaml has them",
                *(self.method.cluster.review, len(unseen), unseen[0][:80]),
            )

    def _prompts(self, graded: Sequence[Graded]) -> list[str]:
        """Return the prompt of every attempt; write the first to ``prompt.txt``. Without tokenizer: bare questions."""
        asked_for = [asked(g.attempt.problem.question, g.attempt.problem.options) for g in graded]
        try:
            prompts = self.model.prompts(asked_for)
        except ConfigError as e:  # all answers are in the store, but the tokenizer is missing
            log.warning("prompts are shown without the model's template: %s", e)
            return asked_for
        if prompts:
            write_atomic(self.folder / "prompt.txt", prompts[0].encode("utf-8", "surrogatepass"))
        return prompts

    def failed(self, error: BaseException, exit_code: int, number: int, stage: str, so_far: SoFar) -> None:
        """Write the findings of the unfinished round ``number`` (0: the base), and the error that ended it.

        ``stage``: such as ``in grade``, or ``after grade`` between two stages.
        """
        said = " ".join(str(error).split()) if isinstance(error, SeiError) else f"{type(error).__name__}: {error}"
        words = "interrupted; run the same command again to resume" if was_signal(exit_code) else said
        place = f"{stage} of {f'round {number}' if number else 'the base'}"
        log.error("ended %s (exit %d): %s", place, exit_code, words)
        home = self.folder / f"round_{number}"
        if so_far.graded:
            write_rows(home / "attempts.jsonl", so_far.graded)
            write_rows(home / "bad_cases.jsonl", bad_cases(so_far.graded, self.method.wrong_in))
        diagnoses = error.diagnoses if isinstance(error, RefusedDiagnosesError) else so_far.diagnoses
        if diagnoses:
            write_rows(home / "diagnoses.jsonl", diagnoses)
        if so_far.synthesis.candidates or so_far.synthesis.rejections:
            write_rows(home / "synthetic.jsonl", so_far.synthesis.candidates)
            write_rows(home / "dropped.jsonl", so_far.synthesis.rejections)
        if isinstance(error, NothingKeptError):
            write_rows(home / "dropped.jsonl", error.rejections)
        failure = {"stage": stage, "round": number, "exit_code": exit_code, "error": words}
        write_json(self.folder / FAILURE, failure)

    def show_so_far(self, evaluated: Sequence[Evaluated]) -> None:
        """Show the scores so far of a run that ends with an error, and where its page is."""
        if evaluated:
            console.show_scores(_stages(evaluated), self.folder)

    def finish(self, evaluated: Sequence[Evaluated], uses: Sequence[Use], ending: Ending | None) -> dict[str, Any]:
        """Write summary and model, show the table in the terminal, and return the summary."""
        summary = self._summary(evaluated, ending)
        write_json(self.folder / "summary.json", summary)
        for e, report in zip((e for e in evaluated if e.record is not None), summary["rounds"], strict=True):
            if e.record is not None and e.record.served_vs_merged:  # known only at the end of a run
                write_merged(self.folder, e.record, report)
        best, number = best_on_dev(evaluated), summary["best_round"]
        last = last_trained([e.record for e in evaluated if e.record is not None])
        write_model(self.folder, best.checkpoint, best.scores, self._origin(), best_round=number, last=last)
        made, reused = sum(u.made for u in uses), sum(u.reused for u in uses)
        said = console.Ending(best=number, stopped=summary["stopped"], last="" if number else instead(last))
        console.show(_stages(evaluated), said, self.folder, made, reused)
        return summary

    def close(self, store: Store, evaluated: Sequence[Evaluated], *, done: bool) -> None:
        """Write the ledger, also after a failure, and the page of a finished run."""
        records = [e.record for e in evaluated if e.record is not None]
        write_json(self.folder / "ledger.json", ledger(store, self.method, records))
        if done:
            write_page(self.folder, known=self.known)
        elif evaluated:
            write_page(self.folder, so_far=len(evaluated) - 1, known=self.known)

    def _summary(self, evaluated: Sequence[Evaluated], ending: Ending | None) -> dict[str, Any]:
        """Return the summary of a run; for equal configs it is equal except for ``seconds``."""
        pairs = itertools.pairwise(evaluated)
        written = _as_written(self.folder)
        return {
            "experiment": self.experiment,
            "seed": self.seed,
            "config_digest": config_digest(self.config),
            "settings": settings_digest(written) if written else "",
            "inputs": self.inputs,
            "environment": from_environment(self.config, written),
            "git_commit": git_commit(),
            "versions": machine(),
            "held_out": contents(evaluated[0].graded),
            "baseline": score_dict(evaluated[0].scores),
            "rounds": [round_dict(b.record, a.graded) for a, b in pairs if b.record is not None],
            "stopped": stop_reason(evaluated, self.rounds, self.method.patience, ending),
            "best_round": list(evaluated).index(best_on_dev(evaluated)),
            "instructor": instructor_dict([e.record for e in evaluated if e.record is not None]),
        }

    def _origin(self) -> Origin:
        method, instructor = self.method, self.method.diagnose.instructor
        return Origin(
            experiment=self.experiment,
            seed=self.seed,
            config_digest=config_digest(self.config),
            git_commit=git_commit(),
            target=self.model,
            parts={
                "data": described(self.data),
                "instructor": " ".join([type(instructor).__name__, str(getattr(instructor, "model", ""))]).strip(),
                "clusterer": described(method.cluster.clusterer),
                "synthesizer": described(method.synthesize),
                "refiner": described(method.refine),
                "finetuner": described(method.finetune),
            },
            samples=decoding(method.attempt)[0],
            temperature=decoding(method.attempt)[1],
        )


def _draw(folder: Path, records: Sequence[RoundRecord], stages: Sequence[Stage], store: Store) -> None:
    record = records[-1]
    shown = Shown(
        error_map=record.error_map,
        losses=record.trained.curve,
        refined=record.refined,
        stages=tuple(stages),
        places=tuple(map(places, records)),
    )
    draw(shown, folder, record.round, store)


def _stages(evaluated: Sequence[Evaluated]) -> list[Stage]:
    return [("base" if e.record is None else f"round {e.record.round}", e.scores) for e in evaluated]


def _as_written(folder: Path) -> dict[str, Any]:
    """Return the config as written by Hydra, with unresolved references; empty for a run without Hydra."""
    path = folder / ".hydra" / "config.yaml"
    found = parsed(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found if isinstance(found, dict) else {}
