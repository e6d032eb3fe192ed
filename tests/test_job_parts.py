"""The parts at the top of a config are compared with their Protocols before anything costs."""

from __future__ import annotations

import pytest

from sei.__main__ import check
from sei.errors import ConfigError
from sei.job import perform
from tests.compose import composed

WRONG = {
    "tracker": (
        "def start(self, name, config, folder): ...",
        r"Mine\.start\(self, name, config, folder\) does not fit",
    ),
    "data": (
        "def loaded(self): ...",
        r"Mine has no method load, which DataSource needs\. Remedy: write it as in sei\.ports\.DataSource",
    ),
}


@pytest.mark.parametrize("group", WRONG)
def test_a_top_part_that_does_not_fit_is_refused(group, tmp_path, monkeypatch):
    method, words = WRONG[group]
    (tmp_path / f"own_{group}.py").write_text(f"from sei.parts import part\n\n@part\nclass Mine:\n    {method}\n")
    monkeypatch.syspath_prepend(tmp_path)
    plain = check(*composed(f"plugins=[own_{group}]", "tracker=none"))
    plain[group] = {"_target_": f"own_{group}.Mine"}
    with pytest.raises(ConfigError, match=rf"^{group}='Mine': {words}"):
        perform(plain, tmp_path / "run")
