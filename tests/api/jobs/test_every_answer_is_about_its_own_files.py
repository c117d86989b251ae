# SPDX-License-Identifier: Apache-2.0
"""Real jobs, two at once: no verdict, file or proof of one is ever taken for another's.

Two networks and two properties are such that each network holds exactly one of the properties, and
another one than the other network. So every verdict is wrong for whatever the job could have been
confused with: the original for the variant, one property or compression for the other.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from api.jobs.attempt import Workshop
from api.jobs.room import LocalRooms
from api.jobs.worker import Worker
from tests.api.http.world import world
from tests.api.tiny import tiny_model, tiny_property
from tests.cli.running import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.api.http.world import World

pytestmark = pytest.mark.slow

Job = dict[str, Any]
Key = tuple[str, str, str]

# Outputs are between 0 and 1.7 in the one and between 1 and 2.7 in the other. Eight bits do not
# hold the slope, so what is compressed is another network.
ORIGINALS = {"low": tiny_model(0, 0.7), "high": tiny_model(1, 0.7)}
PROPERTIES = {"not above": tiny_property(2.2), "not below": tiny_property(0.5, relation="<=")}
MODELS = {"low": "low", "high": "high", "low, compressed": "low", "high, compressed": "high"}
"""Every network, and which original it computes nearly the same as."""

EIGHT_BITS = {"method": "integer_quantisation", "options": {"bits": "8"}}


def verdict(model: str, prop: str) -> str:
    """Return what is true."""
    holds = (MODELS[model], prop) in {("low", "not above"), ("high", "not below")}
    return "holds" if holds else "violated"


@dataclass(frozen=True)
class Bench:
    """A server without workers of its own, and two workers that begin their jobs together."""

    world: World
    folder: Path
    files: dict[str, Path] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)

    def get(self, place: str) -> Any:
        """Return what lies there."""
        answer = self.world.ask(self.world.one.key, "GET", f"/v1/{place}")
        assert answer.status_code == 200, answer.text
        is_json = answer.headers["content-type"] == "application/json"
        return answer.json() if is_json and "/artifacts/" not in place else answer.content

    def post(self, place: str, **more: Any) -> Any:
        """Send something, and return the answer."""
        answer = self.world.ask(self.world.one.key, "POST", f"/v1/{place}", **more)
        assert answer.status_code in (201, 202), answer.text
        return answer.json()

    def keep(self, name: str, content: bytes, suffix: str) -> Path:
        """Write a file for the command line."""
        self.files[name] = self.folder / f"{len(self.files)}{suffix}"
        self.files[name].write_bytes(content)
        return self.files[name]

    def upload(self, folder: str, name: str, content: bytes) -> None:
        """Upload a file."""
        self.keep(name, content, ".onnx" if folder == "models" else ".vnnlib")
        self.hashes[name] = self.post(folder, content=content)["sha256"]

    def run_all(self) -> None:
        """Run all jobs, two at a time."""
        server = self.world.server
        rooms = LocalRooms(server.settings)
        workshop = Workshop(server.settings, server.database, server.blobs, rooms)
        pair = [Worker(workshop, name) for name in ("left", "right")]
        with ThreadPoolExecutor(len(pair)) as pool:
            while claims := [
                (worker, lease)
                for worker in pair
                if (lease := worker.queue.claim(worker.name)) is not None
            ]:
                list(pool.map(lambda claim: claim[0].perform(claim[1]), claims))


@dataclass(frozen=True)
class Done:
    """A batch that was run.

    Attributes:
        bench: Where.
        proofs: The jobs about originals, by network and property.
        variants: Those about variants, by original, variant and property.
        makers: The compress jobs, by original.
    """

    bench: Bench
    proofs: Mapping[tuple[str, str], Job]
    variants: Mapping[Key, Job]
    makers: Mapping[str, Job]

    def verified(self) -> Iterator[tuple[str, str, Job]]:
        """Yield network and property of each verification."""
        yield from ((model, prop, job) for (model, prop), job in self.proofs.items())
        yield from ((model, prop, job) for (_, model, prop), job in self.variants.items())

    def artifact(self, job: Job, name: str, suffix: str = "") -> Path:
        """Fetch a file that a job made."""
        content = self.bench.get(f"jobs/{job['id']}/artifacts/{name}")
        return self.bench.keep(f"{name} of {job['id']}", content, suffix)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    """Yield a batch of both originals, each compressed, and one as a variant of the other."""
    folder = tmp_path_factory.mktemp("bench")
    with world(folder / "data") as opened:
        bench = Bench(opened, folder)
        for name, content in ORIGINALS.items():
            bench.upload("models", name, content)
        for name, content in PROPERTIES.items():
            bench.upload("properties", name, content)
        low, high = (bench.hashes[name] for name in ORIGINALS)
        networks = [
            {"original": low, "variants": [high], "compressions": [EIGHT_BITS]},
            {"original": high, "compressions": [EIGHT_BITS]},
        ]
        properties = [bench.hashes[name] for name in PROPERTIES]
        request = {"kind": "batch", "networks": networks, "properties": properties}
        batch = bench.post("jobs", json=request)["id"]
        bench.run_all()
        assert bench.get(f"jobs/{batch}")["state"] == "succeeded"
        listed = bench.get(f"jobs?parent={batch}&limit=100")["items"]
        yield arranged(bench, [bench.get(f"jobs/{job['id']}") for job in listed])


def arranged(bench: Bench, jobs: list[Job]) -> Done:
    """Return jobs by what they were asked for, whatever they say of it themselves."""
    names = {sha256: name for name, sha256 in bench.hashes.items()}
    by_kind = {
        kind: [job for job in jobs if job["kind"] == kind]
        for kind in ("prove", "compress", "reverify")
    }
    makers = {names[job["request"]["model"]]: job for job in by_kind["compress"]}
    made = {job["id"]: f"{name}, compressed" for name, job in makers.items()}
    proofs = {
        (names[job["request"]["model"]], names[job["request"]["property"]]): job
        for job in by_kind["prove"]
    }
    variants = {}
    for job in by_kind["reverify"]:
        asked = job["request"]
        model = made.get(asked["model_of"]) or names[asked["model"]]
        variants[names[asked["original"]], model, names[asked["property"]]] = job
    assert (len(proofs), len(variants), len(makers)) == (4, 6, 2)
    found = Done(bench, proofs, variants, makers)
    for name, job in makers.items():
        path = found.artifact(job, "model", ".onnx")
        bench.files[f"{name}, compressed"] = path
        bench.hashes[f"{name}, compressed"] = {
            artifact["name"]: artifact["sha256"] for artifact in job["artifacts"]
        }["model"]
    return found


def test_every_verdict_is_that_of_its_network_and_property(done: Done) -> None:
    for model, prop, job in done.verified():
        assert (job["state"], job["verdict"]) == ("succeeded", verdict(model, prop)), (model, prop)
        assert job["result"]["verdict"] == job["verdict"]
        assert job["model"] == done.bench.hashes[model], (model, prop)
        assert job["property"] == done.bench.hashes[prop], (model, prop)


def test_every_compression_is_of_its_own_original(done: Done) -> None:
    for name, job in done.makers.items():
        report = done.bench.get(f"jobs/{job['id']}/artifacts/compression_report")
        assert f'"base_sha256": "{done.bench.hashes[name]}"'.encode() in report
        made = done.bench.hashes[f"{name}, compressed"]
        assert f'"artefact_sha256": "{made}"'.encode() in report
        assert job["result"]["sha256"] == made


def test_a_certificate_is_good_for_its_network_and_property_alone(done: Done) -> None:
    pairs = list(product(MODELS, PROPERTIES))
    for model, prop, job in done.verified():
        certificate = done.artifact(job, "certificate", ".json.gz")

        accepted = [pair for pair in pairs if accepts(done.bench, certificate, pair)]

        assert accepted == [(model, prop)]


def accepts(bench: Bench, certificate: Path, pair: tuple[str, str]) -> bool:
    """Say what the checker of the command line says."""
    network, prop = (bench.files[name] for name in pair)
    words = ("certificate", "check", certificate, "--network", network, "--property", prop)
    return run(*words, "--format", "json").status == 0


def test_a_certificate_is_listed_with_its_network_and_property(done: Done) -> None:
    for model, prop, job in done.verified():
        (sha256,) = (
            artifact["sha256"] for artifact in job["artifacts"] if artifact["name"] == "certificate"
        )
        told = done.bench.get(f"certificates/{sha256}")["summary"]

        assert told == subject(done, model, prop) | {"verdict": verdict(model, prop)}


def subject(done: Done, model: str, prop: str) -> dict[str, str]:
    """Return what the command line knows a network and a property by."""
    return {
        "network": summary("model", done.bench.files[model])["fingerprint"],
        "property": summary("property", done.bench.files[prop])["fingerprint"],
    }


def summary(kind: str, path: Path) -> dict[str, Any]:
    """Return what the command line says of a file."""
    return dict(run("inspect", "--kind", kind, path, "--format", "json").document["summary"])


def test_a_proof_is_that_of_the_original(done: Done) -> None:
    seconds = {}
    for (model, prop), job in done.proofs.items():
        told = summary("proof", done.artifact(job, "proof"))
        assert {name: told[name] for name in ("network", "property")} == subject(done, model, prop)
        assert told["verdict"] == verdict(model, prop)
        seconds[model, prop] = told["seconds"]
    for (original, _, prop), job in done.variants.items():
        # A time is as good as a name: that two are the same would be a strange accident.
        assert job["result"]["reuse"]["original_seconds"] == seconds[original, prop]


@pytest.mark.parametrize("prop", PROPERTIES)
def test_the_servers_own_check_takes_a_certificate_for_nothing_else(done: Done, prop: str) -> None:
    asked = {}
    for model, which in product(("low", "low, compressed"), PROPERTIES):
        job = done.variants["low", "low, compressed", prop]
        names = {artifact["name"]: artifact["sha256"] for artifact in job["artifacts"]}
        request = {
            "kind": "check",
            "certificate": names["certificate"],
            "model": done.bench.hashes[model],
            "property": done.bench.hashes[which],
        }
        asked[model, which] = done.bench.post("jobs", json=request)["id"]
    done.bench.run_all()

    jobs = {pair: done.bench.get(f"jobs/{job_id}") for pair, job_id in asked.items()}
    assert {job["state"] for job in jobs.values()} == {"succeeded"}
    accepted = [pair for pair, job in jobs.items() if job["result"]["accepted"]]
    assert accepted == [("low, compressed", prop)]
