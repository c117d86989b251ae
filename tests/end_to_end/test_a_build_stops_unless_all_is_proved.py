# SPDX-License-Identifier: Apache-2.0
"""The action, the template and the hooks that we ship, run as their hosts run them.

Whatever a user's build does with mucg4, it does by the very words of these files: they are read
here, and what they say is run in a repository of its own.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.cli.running import run
from tests.end_to_end.scratch_repository import ROOT, Repository
from tests.end_to_end.shipped import document

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Story:
    """What a manifest asks for, and how the build has to end."""

    properties: tuple[str, ...]
    status: int
    seconds: float = 60.0
    has_memory: bool = True

    def prepare(self, repository: Repository) -> None:
        repository.ask(*self.properties, seconds=self.seconds)


STORIES = {
    "all proved": Story(("holds",), 0),
    "violated": Story(("holds", "violated"), 1),
    "inconclusive": Story(("holds",), 3, seconds=1e-9),
    "internal error": Story(("holds",), 4, has_memory=False),
}
each_story = pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.make(tmp_path)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where loops are compiled to, once for all builds of these tests."""
    return tmp_path_factory.mktemp("compiled")


@each_story
def test_the_action_ends_a_build_by_its_verdict(
    repository: Repository, story: Story, tmp_path: Path, compiled: Path
) -> None:
    story.prepare(repository)
    steps = {s["name"]: s for s in document("action.yml")["runs"]["steps"] if "name" in s}
    outputs, summary, key = (tmp_path / name for name in ("outputs", "summary", "key"))
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    key.write_bytes(pem)
    environment = {
        "MANIFEST": "mucg4.toml",
        "EVIDENCE": str(tmp_path / "evidence"),
        "SIGNING_KEY": pem.decode(),
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_OUTPUT": str(outputs),
        "GITHUB_STEP_SUMMARY": str(summary),
        "NUMBA_CACHE_DIR": str(compiled),
    }
    assert set(steps["Check"]["env"]) == {"MANIFEST", "EVIDENCE", "SIGNING_KEY"}

    ended = repository.script([steps["Check"]["run"]], environment, has_memory=story.has_memory)

    assert ended.status == story.status, ended.errors
    named = dict(line.split("=", 1) for line in outputs.read_text().splitlines())
    assert set(named) == set(document("action.yml")["outputs"])
    assert json.loads((tmp_path / "mucg4.json").read_text())["exit_status"] == story.status
    assert "holds.vnnlib" in summary.read_text()
    assert not list(tmp_path.glob("*signing-key*"))
    assert (tmp_path / "evidence" / "manifest.json").exists()


@each_story
def test_the_template_ends_a_pipeline_by_its_verdict(
    repository: Repository, story: Story, compiled: Path
) -> None:
    story.prepare(repository)
    job = document("examples/gitlab/mucg4.gitlab-ci.yml")[".mucg4-check"]
    variables = {**job["variables"], "NUMBA_CACHE_DIR": str(compiled)}

    ended = repository.script(job["script"], variables, has_memory=story.has_memory)

    assert ended.status == story.status, ended.errors
    reports = job["artifacts"]["reports"].values()
    kept = [*job["artifacts"]["paths"], *job["cache"]["paths"], *reports]
    assert [name for name in kept if not (repository.folder / name).exists()] == []


@each_story
def test_the_hook_stops_a_commit_unless_all_is_proved(repository: Repository, story: Story) -> None:
    story.prepare(repository)
    hook = next(h for h in document(".pre-commit-hooks.yaml") if h["id"] == "mucg4-check")
    # Everything as it is shipped, but the program that is installed here already.
    local = {"repos": [{"repo": "local", "hooks": [{**hook, "language": "system"}]}]}
    (repository.folder / ".pre-commit-config.yaml").write_text(yaml.safe_dump(local))
    assert repository.run("pre-commit", "install").status == 0
    repository.run("git", "add", "--all")

    ended = repository.script(["git commit --quiet --message=change"], has_memory=story.has_memory)

    is_committed = repository.run("git", "rev-parse", "--verify", "HEAD").status == 0
    assert is_committed == (story.status == 0), ended.errors
    assert f"exit code: {story.status}" in ended.errors or is_committed


def test_the_hooks_look_at_all_that_a_verdict_depends_on() -> None:
    hooks = {hook["id"]: hook for hook in document(".pre-commit-hooks.yaml")}

    pattern = re.compile(hooks["mucg4-check"]["files"])
    named = ("a/b.onnx", "c.vnnlib", "c.vnnlib.gz", "d/neuron_map.json", "mucg4.toml")
    assert all(pattern.search(name) for name in named)
    assert not pattern.search("README.md")
    assert hooks["mucg4-check-push"]["always_run"]
    assert {hook["entry"] for hook in hooks.values()} == {"mucg4 check --quiet"}


def test_no_input_of_the_action_becomes_part_of_a_command() -> None:
    for step in document("action.yml")["runs"]["steps"]:
        assert "${{" not in step.get("run", "")


def test_the_example_stops_at_the_one_property_that_is_violated(tmp_path: Path) -> None:
    words = ("check", ROOT / "examples" / "digits" / "mucg4.toml", "--cache", tmp_path / "cache")

    ended = run(*words, "--format", "json")

    checks = ended.document["checks"]
    assert ended.status == 1
    assert len(checks) == 2 * 8
    failed = {check["property"] for check in checks if check["judgement"] != "passed"}
    assert failed == {"properties/digit_7_epsilon_0.124.vnnlib"}
    reused = [check for check in checks if check["reuse"] is not None]
    assert len(reused) == 7


def test_what_is_compiled_is_kept_with_the_cache() -> None:
    job = document("examples/gitlab/mucg4.gitlab-ci.yml")[".mucg4-check"]
    steps = document("action.yml")["runs"]["steps"]
    (cached,) = (s["with"]["path"] for s in steps if "path" in s.get("with", {}))
    (run,) = (s["run"] for s in steps if s.get("id") == "check")

    assert job["variables"]["NUMBA_CACHE_DIR"] == "$CI_PROJECT_DIR/.mucg4-cache/compiled"
    assert job["cache"]["paths"] == [".mucg4-cache/"]
    assert cached == ".mucg4-cache"
    assert "NUMBA_CACHE_DIR:-$PWD/.mucg4-cache/compiled" in run
