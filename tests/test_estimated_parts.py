"""Parts estimate themselves: the content of an estimate and a dry run, and what happens to parts without one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import pytest

from sei.errors import ConfigError
from sei.estimate import Assumptions, as_dict, first_requests, generations, lines, of_round
from sei.exchange import Grouping
from sei.opened import Engine
from sei.outlook import Estimate, Outlook
from sei.parts import part
from sei.ports import Instructor, Screen
from sei.preview import show, show_requests
from sei.records import ErrorMap, PoolProblem, RefinedSet, RefineInput, Synthesis
from tests.compose import built

ASSUMED = Assumptions()


def told(*overrides, **swapped):
    """Return the estimates of a config's parts for one round, and the data behind them."""
    parts = built("experiment=smoke", "instructor=gpt4o", *overrides)
    data = parts["data"].load()
    return of_round(replace(parts["method"], **swapped), data, ASSUMED), data


def instructor():
    return built("experiment=smoke", "instructor=gpt4o")["method"].diagnose.instructor


FIRST_ROUND = {  # kind, requests, input and output tokens, dollars: as computed before parts estimated themselves
    "self_instruct": (
        ["clusterer=llm"],
        [
            ("keyphrase", 48, 10051, 2880, 0.0539275),
            ("error types", 1, 1188, 800, 0.01097),
            ("merge", 1, 481, 160, 0.0028025),
            ("problems", 13, 6938, 46286, 0.480205),
            ("agreement", 257, 30534, 51429, 0.590625),
        ],
    ),
    "direct_correction": (
        ["synthesizer=direct_correction", "synthesizer.solutions=instructor"],
        [("keyphrase", 48, 10051, 2880, 0.0539275), ("correction", 32, 4622, 6432, 0.075875)],
    ),
    "learning_from_error": (
        ["synthesizer=learning_from_error", "instructor=openai_compatible"],
        [
            ("keyphrase", 48, 10051, 2880, 0.0),
            ("problems", 19, 3942, 10286, 0.0),
            ("agreement", 57, 6785, 11429, 0.0),
        ],
    ),
    "rejection_sampling": (
        ["synthesizer=rejection_sampling", "clusterer=llm"],
        [
            ("keyphrase", 48, 10051, 2880, 0.0539275),
            ("error types", 1, 1188, 800, 0.01097),
            ("merge", 1, 481, 160, 0.0028025),
        ],
    ),
}


@pytest.mark.parametrize("name", FIRST_ROUND)
def test_estimates_are_what_they_were(name):
    overrides, wanted = FIRST_ROUND[name]
    found, _ = told(*overrides)
    assert not found.not_estimated
    once, twice = lines(found, 1, ASSUMED), lines(found, 2, ASSUMED)
    assert [(x.kind, x.requests, x.input_tokens, x.output_tokens, x.usd) for x in once] == wanted
    assert twice == [*once, *(replace(x, round=2) for x in once)]


@pytest.mark.parametrize(
    ("overrides", "kinds"),
    [
        ((), ["keyphrase", "problems", "agreement"]),
        (("clusterer=llm",), ["keyphrase", "error types", "merge", "problems", "agreement"]),
        (
            ("clusterer=llm", "clusterer.merge=false", "instructor.agreement=false"),
            ["keyphrase", "error types", "problems"],
        ),
        (("synthesizer=direct_correction",), ["keyphrase"]),
        (("synthesizer=direct_correction", "synthesizer.solutions=instructor"), ["keyphrase", "correction"]),
        (("synthesizer=rejection_sampling",), ["keyphrase"]),
    ],
)
def test_a_dry_run_shows_the_kinds_that_are_sent_and_no_other(overrides, kinds):
    found, _ = told(*overrides)
    assert list(first_requests(found)) == kinds
    assert [x.kind for x in lines(found, 1, ASSUMED)] == kinds


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("synthesizer=combine",), '"other_settings": [\n  {'),
        (("synthesizer=learning_from_error", "synthesizer.contrast=true"), '"solved_questions": [\n  "'),
    ],
)
def test_a_dry_run_shows_the_request_of_its_own_synthesizer(overrides, words):
    found, _ = told(*overrides)
    assert words in first_requests(found)["problems"].messages[-1][1]


def test_a_dry_run_shows_no_kind_without_a_request():
    parts = built("experiment=smoke", "instructor=gpt4o", "synthesizer=direct_correction")
    found = of_round(parts["method"], parts["data"].load(), Assumptions(bad_share=0.0))
    assert first_requests(found) == {}
    assert [x.requests for x in lines(found, 1, ASSUMED)] == [0]


def test_what_the_target_model_generates_is_told_by_parts():
    def counted(*overrides):
        found, data = told(*overrides)
        return generations(found, data, 2)

    plain = {"attempts at the pool": 240, "for evaluation": 480}
    assert counted() == plain
    assert counted("refiner=one_shot_context") == {**plain, "for refinement": 2 * 40 * 20}
    sampling = counted("synthesizer=rejection_sampling", "refiner=one_shot_context")
    assert sampling == {**plain, "sampled solutions of the pool": 2 * 8 * 120, "for refinement": 2 * 40 * 20}
    corrected = counted("synthesizer=direct_correction", "refiner=one_shot_context")
    assert corrected == {**plain, "for refinement": 2 * round(0.4 * 120 * 0.67 * 20)}
    assert counted("finetuner=grpo")["in reinforcement learning"] > 0


@part
class Silent:
    """A synthesizer that asks but has no estimate."""

    version: ClassVar[int] = 1
    instructor: Instructor

    def __call__(
        self, error_map: ErrorMap, pool: tuple[PoolProblem, ...], screen: Screen, round: int, *, seed: int
    ) -> Synthesis:
        return Synthesis(candidates=())


@part
class Critic:
    """A user's synthesizer, estimated by one method."""

    version: ClassVar[int] = 1
    instructor: Instructor

    def __call__(
        self, error_map: ErrorMap, pool: tuple[PoolProblem, ...], screen: Screen, round: int, *, seed: int
    ) -> Synthesis:
        return Synthesis(candidates=())

    def estimate(self, outlook: Outlook) -> Estimate:
        asked = outlook.diagnosis(self.instructor, 30)
        critique = tuple(replace(a, kind="critique", output_tokens=50.0) for a in asked.asks)
        return Estimate(asks=critique, candidates=30)


@part
class Wordless(Critic):
    version: ClassVar[int] = 1

    def estimate(self, outlook: Outlook) -> Estimate:
        return Estimate(asks=tuple(replace(a, output_tokens=None) for a in super().estimate(outlook).asks))


@part
class Banana(Silent):
    version: ClassVar[int] = 1

    def estimate(self, banana: int) -> Estimate:
        return Estimate()


def test_a_synthesizer_of_ones_own_is_estimated_by_one_method():
    found, data = told("refiner=one_shot_context", synthesize=Critic(instructor=instructor()))
    assert not found.not_estimated
    *_, critique = lines(found, 1, ASSUMED)
    assert (critique.kind, critique.requests, critique.output_tokens) == ("critique", 30, 1500)
    assert critique.usd == pytest.approx((2.5 * critique.input_tokens + 10 * 1500) / 1e6)
    assert generations(found, data, 1)["for refinement"] == 30 * 20


def test_a_kind_without_a_known_length_of_reply_is_refused():
    found, _ = told(synthesize=Wordless(instructor=instructor()))
    with pytest.raises(ConfigError, match=r"kind .critique.*\+assume\.output_tokens=\{critique: 100\}"):
        lines(found, 1, ASSUMED)


def test_a_synthesizer_that_tells_nothing_is_named(capsys):
    found, data = told("refiner=one_shot_context", synthesize=Silent(instructor=instructor()))
    silent, refiner = found.not_estimated
    assert silent.startswith("Silent: it asks OpenAICompatible and has no method `estimate`")
    assert refiner.startswith("OneShotContext: it asks the target model for every candidate")
    priced = lines(found, 1, ASSUMED)
    assert [x.kind for x in priced] == ["keyphrase"]
    assert as_dict(priced, found.not_estimated)["not_estimated"] == [silent, refiner]
    show(priced, generations(found, data, 1), found.not_estimated)
    printed = capsys.readouterr().out
    assert f"not estimated: {silent}" in printed
    assert "all that is estimated" in printed
    show_requests(first_requests(found), found.not_estimated)
    assert f"not shown: {silent}" in capsys.readouterr().out


def test_an_estimate_with_other_parameters_is_named():
    found, _ = told(synthesize=Banana(instructor=instructor()))
    assert found.not_estimated == (
        "Banana: Banana.estimate(self, banana) does not fit Estimated.estimate(self, outlook)",
    )


@part
class Asking:
    """A clusterer with an instructor inside a list."""

    version: ClassVar[int] = 1
    panel: list[Instructor]

    def group(self, phrases: Any, vectors: Any, seed: int) -> Grouping:
        return Grouping(labels=(0,) * len(phrases))


@part
class Plain:
    """A clusterer without fields; it may or may not send requests itself."""

    version: ClassVar[int] = 1

    def group(self, phrases: Any, vectors: Any, seed: int) -> Grouping:
        return Grouping(labels=(0,) * len(phrases))


@part
class AsksNothing(Plain):
    version: ClassVar[int] = 1

    def estimate(self, outlook: Outlook) -> Estimate:
        return Estimate()


@part
class Generates:
    """A refiner that makes the target model answer."""

    version: ClassVar[int] = 1
    engine: Engine

    def __call__(self, given: RefineInput, *, seed: int) -> RefinedSet:
        return RefinedSet(scored=())


def test_silent_clusterers_and_refiners_are_named_too():
    parts = built("experiment=smoke", "instructor=gpt4o")
    method, data = parts["method"], parts["data"].load()
    cluster = replace(method.cluster, clusterer=Asking(panel=[instructor(), instructor()]))
    swapped = replace(method, cluster=cluster, refine=Generates(engine=method.attempt.engine))
    asking, generates = of_round(swapped, data, ASSUMED).not_estimated
    assert asking.startswith("Asking: it asks OpenAICompatible")
    assert generates.startswith("Generates: it makes the target model generate")
    for clusterer, named in {Plain(): 1, AsksNothing(): 0}.items():
        found = of_round(replace(method, cluster=replace(method.cluster, clusterer=clusterer)), data, ASSUMED)
        assert [w.split(" and ")[0] for w in found.not_estimated] == ["Plain: it may ask an instructor"] * named


@part
class Closed:
    """A user's instructor that does not show its requests."""

    version: ClassVar[int] = 1
    calls: int = 0

    def diagnose(self, cases: Any) -> Any:
        return iter(())

    def write(self, requests: Any) -> Any:
        return iter(())

    def correct(self, cases: Any) -> Any:
        return iter(())


def test_an_instructor_without_requests_is_named_for_every_part():
    parts = built("experiment=smoke", "instructor=gpt4o")
    method, closed = parts["method"], Closed()
    swapped = replace(
        method,
        diagnose=replace(method.diagnose, instructor=closed),
        synthesize=replace(method.synthesize, instructor=closed),
    )
    found = of_round(swapped, parts["data"].load(), ASSUMED)
    assert not found.asks
    assert [w.split(": ")[0] for w in found.not_estimated] == ["Diagnose", "SelfInstruct"]
    assert all("its instructor Closed does not show what it would send" in w for w in found.not_estimated)


def test_a_second_opinion_has_a_line_and_prices_of_its_own():
    second = ("second_opinion=openai_compatible", "second_opinion.instructor.usd_in=1")
    found, _ = told(*second, "second_opinion.instructor.usd_out=1")
    (line,) = [x for x in lines(found, 1, ASSUMED) if x.kind == "second opinion"]
    assert line.requests == 48  # all bad cases: fewer than the sample size
    assert line.usd == pytest.approx((line.input_tokens + line.output_tokens) / 1e6)


def test_without_anything_that_is_sent_a_dry_run_says_so(capsys):
    show_requests({})
    assert "no request would be sent" in capsys.readouterr().out
