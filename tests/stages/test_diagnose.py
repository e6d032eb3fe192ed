from __future__ import annotations

import pytest

from sei.records import Diagnosis, Rejection
from sei.stages.diagnose import RefusedDiagnosesError, keyphrases
from tests.builders import case, keyphrase

REFUSED = Rejection(stage="diagnose", reason="refusal", detail="I cannot help with that.")


def test_more_refused_diagnoses_than_allowed_end_the_run():
    """F11."""
    cases = [case(i) for i in range(5)]
    named = [Diagnosis(bad_case=c, keyphrase=keyphrase(c, "drops a step")) for c in cases[:2]]
    found = (*named, *(Diagnosis(bad_case=c, rejection=REFUSED) for c in cases[2:]))
    assert [k.phrase for k in keyphrases(found, 0.6, 1)] == ["drops a step"] * 2
    with pytest.raises(
        RefusedDiagnosesError, match=r"3 of 5 diagnoses were refused.*refusal: 3, such as: I cannot"
    ) as e:
        keyphrases(found, 0.5, 1)
    assert (e.value.exit_code, e.value.diagnoses, e.value.number) == (3, found, 1)
