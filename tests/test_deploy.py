"""What lies in deploy/ against the published schemas, and against what the service really has."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft7Validator

from serving.http.keys import VARIABLE
from serving.settings import Limits

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
MANIFEST: dict[str, dict[str, Any]] = {
    one["kind"]: one for one in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())
}
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())


@pytest.mark.parametrize("kind", MANIFEST)
def test_kubernetes_takes_it(kind: str) -> None:
    kubernetes_validate.validate(MANIFEST[kind], kubernetes_validate.latest_version(), strict=True)


def test_the_check_would_tell() -> None:
    bad = json.loads(json.dumps(MANIFEST["Deployment"]))
    bad["spec"]["template"]["spec"]["containers"][0]["readyProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(bad, kubernetes_validate.latest_version(), strict=True)


def test_compose_takes_it() -> None:
    schema = json.loads(files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_text())
    validator = Draft7Validator(schema)
    assert not list(validator.iter_errors(COMPOSE))
    assert list(validator.iter_errors({**COMPOSE, "servises": {}}))


def container() -> dict[str, Any]:
    return dict(MANIFEST["Deployment"]["spec"]["template"]["spec"]["containers"][0])


def test_probes_limits_and_labels_agree() -> None:
    paths = {
        probe: container()[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")
    }
    assert paths == {"startupProbe": "/readyz", "readinessProbe": "/readyz", "livenessProbe": "/livez"}
    labels = MANIFEST["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert MANIFEST["Service"]["spec"]["selector"] == labels
    assert MANIFEST["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert MANIFEST["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == labels
    assert (
        MANIFEST["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"]
        == MANIFEST["Deployment"]["metadata"]["name"]
    )
    assert set(container()["resources"]["limits"]) == {"cpu", "memory"}


def test_a_container_is_one_worker_with_all_the_cores_it_may_use() -> None:
    service = COMPOSE["services"]["stance"]
    environment = {one["name"]: one["value"] for one in container()["env"]}
    for variables, cores in (
        (environment, container()["resources"]["limits"]["cpu"]),
        (service["environment"], service["deploy"]["resources"]["limits"]["cpus"]),
    ):
        assert (variables["STANCE_WORKERS"], variables["STANCE_THREADS"]) == ("1", cores)


def test_an_end_waits_for_what_was_accepted() -> None:
    pause = container()["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert (
        MANIFEST["Deployment"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        >= pause + Limits().longest_answer
    )
    assert int(COMPOSE["services"]["stance"]["stop_grace_period"].rstrip("s")) > Limits().longest_answer


def test_the_folder_of_the_keys_is_mounted_and_no_file_alone() -> None:
    service = COMPOSE["services"]["stance"]
    (mounted,) = [one.split(":") for one in service["volumes"]]
    assert mounted == ["./keys", str(Path(service["environment"][VARIABLE]).parent), "ro"]
    assert "secrets" not in service
    environment = {one["name"]: one["value"] for one in container()["env"]}
    (keys,) = [one for one in container()["volumeMounts"] if one["name"] == "keys"]
    assert keys["mountPath"] == str(Path(environment[VARIABLE]).parent)
    assert "subPath" not in keys


def test_a_pod_writes_where_it_may() -> None:
    assert container()["securityContext"]["readOnlyRootFilesystem"] is True
    environment = {one["name"]: one["value"] for one in container()["env"]}
    (mount,) = [one for one in container()["volumeMounts"] if not one.get("readOnly")]
    (volume,) = [one for one in MANIFEST["Deployment"]["spec"]["template"]["spec"]["volumes"] if "emptyDir" in one]
    assert (mount["name"], mount["mountPath"]) == (volume["name"], "/tmp")
    assert Path(environment["BENTOML_HOME"]).is_relative_to(mount["mountPath"])


def test_every_variable_is_one_that_the_service_reads() -> None:
    read = set(re.findall(r"STANCE_[A-Z_]+", "\n".join(path.read_text() for path in (ROOT / "serving").rglob("*.py"))))
    named = {one["name"] for one in container()["env"]} | set(COMPOSE["services"]["stance"]["environment"])
    assert {VARIABLE, "STANCE_LOG_FORMAT"} <= named
    assert {one for one in named if one.startswith("STANCE_")} <= read


def test_the_alerts_ask_for_metrics_and_labels_that_there_are() -> None:
    from prometheus_client import generate_latest
    from prometheus_client.parser import text_string_to_metric_families

    from serving.http import metrics

    metrics.count_answer("/classify", 200, 1.0)
    metrics.count_start()
    there: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(generate_latest().decode()):
        for sample in family.samples:
            there.setdefault(sample.name, set()).update(sample.labels)
    (group,) = yaml.safe_load((DEPLOY / "alerts.yaml").read_text())["groups"]
    assert len({rule["alert"] for rule in group["rules"]}) == len(group["rules"]) == 6
    for rule in group["rules"]:
        assert set(rule) - {"for"} == {"alert", "expr", "labels", "annotations"}
        assert rule["annotations"]["summary"]
        asked = re.findall(r"\b(stance_\w+|up)\b(?:\{(.*?)\})?", rule["expr"])
        assert asked
        for name, labels in asked:
            known = {"job"} if name == "up" else there[name]
            assert set(re.findall(r"(\w+)\s*=", labels)) <= known
    (slow,) = [rule["expr"] for rule in group["rules"] if rule["alert"] == "StanceSlow"]
    assert Limits().deadline / 2 < float(slow.rpartition(">")[2]) < Limits().deadline


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    from prometheus_client import generate_latest

    from serving.http.metrics import count_start

    count_start()
    told = re.findall(r"# TYPE (stance_\w+) ", generate_latest().decode())
    there = {name for name in told if not name.endswith("_created")}
    dashboard = json.loads((DEPLOY / "grafana.json").read_text())
    asked = {
        name
        for panel in dashboard["panels"]
        for one in panel["targets"]
        for name in re.findall(r"stance_\w+", one["expr"])
    }
    assert {re.sub(r"_(bucket|count|sum)$", "", name) for name in asked} == there
    places = [tuple(panel["gridPos"].values()) for panel in dashboard["panels"]]
    assert len(set(places)) == len(places)
    confidences = {
        one
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for one in re.findall(r'le="([\d.]+)"', target["expr"])
    }
    assert {f'stance_confidence_bucket{{le="{one}"}}' for one in confidences} <= set(
        re.findall(r"^(\S+) ", generate_latest().decode(), re.M)
    )
