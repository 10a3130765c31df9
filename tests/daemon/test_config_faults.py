"""What is wrong with adaptd.yaml is said with its place and with what to write instead, all of it in one try."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.config import load
from daemon.errors import ConfigError
from tests.daemon.config_texts import KAFKA, faults, read

# -- what cannot be read


def test_a_missing_file_says_how_to_get_one(file: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file; `adaptd init` writes one"):
        load(file, environ={})


def test_broken_yaml_is_one_line_with_its_place(file: Path) -> None:
    (line,) = faults(file, "model:\n  base: x\n batching: {min: 20}\n")
    assert line.startswith("adaptd.yaml:3: not valid YAML:")
    assert line.endswith("nothing was changed")


def test_a_key_given_twice_is_not_valid(file: Path) -> None:
    (line,) = faults(file, "batching: {min: 20}\nbatching: {min: 30}\n")
    assert line.startswith("adaptd.yaml:2: not valid YAML:")
    assert 'duplicate key "batching"' in line


def test_a_file_that_holds_a_list_says_what_it_must_hold(file: Path) -> None:
    assert faults(file, "- model\n") == ["adaptd.yaml: must hold keys such as `model:` and `tasks:`, not a list"]


def test_bytes_that_are_no_text_are_said(file: Path) -> None:
    file.write_bytes(b"model: \xff\xfe")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        load(file, environ={})


# -- what is wrong in it


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("batchng: {min: 3}", "adaptd.yaml:1: batchng: unknown key; did you mean `batching`?"),
        ("model:\n  lora: {rnak: 5}", "adaptd.yaml:2: model.lora.rnak: unknown key; did you mean `rank`?"),
        (
            "tasks:\n  erd:\n    batching: {mn: 3}",
            "adaptd.yaml:3: tasks.erd.batching.mn: unknown key; did you mean `min`?",
        ),
        (
            f"sources:\n  - {KAFKA}, topicz: [x]}}",
            "adaptd.yaml:2: sources.0.topicz: unknown key; did you mean `topics`?",
        ),
        (
            "learners: {zzz: true}",
            "adaptd.yaml:1: learners.zzz: unknown key; "
            "known here: active, augmentation, curriculum, hard_negatives, hyperparameters, preference",
        ),
        (
            "tasks: {erd: {validator: {name: json_schema, settings: {schem: 1}}}}",
            "adaptd.yaml:1: tasks.erd.validator.settings.schem: unknown key; did you mean `schema`?",
        ),
    ],
)
def test_an_unknown_key_gets_a_suggestion(file: Path, text: str, fault: str) -> None:
    assert fault in faults(file, text)


@pytest.mark.parametrize(
    "text",
    [
        "retention: {events: 365d}",
        "watch: {rollback: auto}",
        "release: {holdback: 0.1}",
        "updates: {backend: unsloth}",
    ],
)
def test_a_key_of_a_later_version_is_called_so(file: Path, text: str) -> None:
    (line,) = faults(file, text)
    assert "not in this version; take the key out" in line


def test_wrong_values_say_what_they_are_and_what_fits(file: Path) -> None:
    text = """\
        rewards: {half_life: 3 weeks}
        api: {port: 99999}
        engine: {type: vllm}
        model: {lora: {target_modules: 5}}
        """
    assert faults(file, text) == [
        "adaptd.yaml:1: rewards.half_life: '3 weeks' is not a duration; write a number and one of ms s m h d w, "
        "such as 10m or 30d",
        "adaptd.yaml:2: api.port: Input should be less than or equal to 65535 (it is 99999)",
        "adaptd.yaml:3: engine.type: Input should be 'local' (it is 'vllm')",
        "adaptd.yaml:4: model.lora.target_modules: Input should be a valid string or Input should be a valid list "
        "(it is 5)",
    ]


@pytest.mark.parametrize("number", [".inf", "-.inf", ".nan"])
@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("updates: {{sft: {{learning_rate: {}}}}}", "updates.sft.learning_rate"),
        ("updates: {{max_retention_kl: {}}}", "updates.max_retention_kl"),
        ("updates: {{sft: {{min_signal: {}}}}}", "updates.sft.min_signal"),
        ("updates: {{off_policy: {{solved_margin: {}}}}}", "updates.off_policy.solved_margin"),
        ("rewards: {{half_life: {}}}", "rewards.half_life"),
        ("tasks: {{erd: {{gate: {{max_kl: {}}}}}}}", "tasks.erd.gate.max_kl"),
    ],
)
def test_what_is_no_finite_number_is_refused(file: Path, text: str, where: str, number: str) -> None:
    (line,) = faults(file, text.format(number))
    assert line.startswith(f"adaptd.yaml:1: {where}: ")
    assert "finite number" in line


def test_a_size_beyond_all_numbers_is_refused(file: Path) -> None:
    (line,) = faults(file, f"limits: {{max_bytes: {'9' * 400}TiB}}")
    assert line.startswith("adaptd.yaml:1: limits.max_bytes: more bytes than a number can say")


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("updates.seed", "99999999999999999999"),
        ("updates.seed", "-1"),
        ("updates.time_limit", "0s"),
        ("updates.heartbeat_limit", "0s"),
        ("updates.checkpoint_every", "0s"),
        ("engine.start_timeout", "0s"),
        ("release.engine.timeout", "0s"),
        ("gateway.timeout", "0s"),
        ("gateway.max_body_bytes", "0"),
        ("gateway.record_queue_bytes", "0B"),
        ("limits.max_bytes", "0"),
        ("rewards.max_age", "0s"),
        ("rewards.settle", "36501d"),  # a time so long ago cannot be reckoned with, some way above
    ],
)
def test_what_nothing_could_work_with_is_refused(file: Path, where: str, value: str) -> None:
    (line,) = faults(file, "", [f"{where}={value}"])
    assert line.startswith(f"--set {where}={value}: {where}: Input should be ")


def test_settings_that_contradict_each_other_are_said_without_repeating_them_all(file: Path) -> None:
    assert faults(file, "batching:\n  min: 50\n  max: 20\n") == [
        "adaptd.yaml:1: batching: batching.max (20) is below batching.min (50); raise max or lower min"
    ]
    assert faults(file, "sources:\n  - {type: http}\n  - {type: http}\n") == [
        "adaptd.yaml: two sources are called http; give each a `name` of its own"
    ]


def test_a_list_that_is_none_is_called_a_list(file: Path) -> None:
    (line,) = faults(file, f"sources:\n  - {KAFKA.replace('[feedback]', 'feedback')}}}\n")
    assert line == "adaptd.yaml:2: sources.0.topics: Input should be a valid list (it is 'feedback')"


def test_one_try_shows_every_fault_in_the_order_of_the_file(file: Path) -> None:
    text = f"""\
        watch: {{rollback: auto}}
        batching: {{min: few}}
        sources:
          - {KAFKA}, security: {{protocol: SASL_SSL}}}}
          - {{type: nats}}
          - seven
          - {{type: jsonl, path: a.gz, follow: true}}
        gate: {{alpha: 2}}
        """
    found = faults(file, text)
    assert [line.split(": ")[0] for line in found] == [f"adaptd.yaml:{n}" for n in (1, 2, 4, 5, 6, 7, 8)]
    assert found[3] == "adaptd.yaml:5: sources.1.type: one of http, jsonl, kafka, memory is needed (it is 'nats')"
    assert found[4] == "adaptd.yaml:6: sources.2: must hold keys, such as {type: http}"


def test_a_store_that_cannot_be_is_a_fault_of_the_config(file: Path) -> None:
    assert faults(file, "storage: {url: foo}") == [
        "adaptd.yaml:1: storage.url: not the address of a database; use sqlite:///adaptd.db"
    ]
    assert faults(file, "storage: {url: 'postgresql://db/x'}") == [
        "adaptd.yaml:1: storage.url: postgresql is not in this version; use sqlite:///adaptd.db"
    ]


def test_a_task_that_no_event_could_name_is_refused(file: Path) -> None:
    assert faults(file, "tasks: {my task: {}}") == [
        "adaptd.yaml:1: tasks.my task: only ASCII letters, digits and . _ - with / between parts"
    ]


def test_one_port_for_api_and_gateway_is_refused_with_both_places(file: Path) -> None:
    text = "api:\n  port: 8800\ngateway:\n  enabled: true\n  port: 8800\n"
    assert faults(file, text) == [
        f"adaptd.yaml:5: gateway.port: 8800 is api.port too ({file}:2); give each a port of its own"
    ]
    assert faults(file, "gateway: {enabled: true}\napi: {port: 8713}\n") == [
        "adaptd.yaml:2: api.port: 8713 is gateway.port too (its default); give each a port of its own"
    ]
    assert faults(file, text, ["api.host=0.0.0.0", "gateway.port=8800"]) == [
        f"--set gateway.port=8800: gateway.port: 8800 is api.port too ({file}:2); give each a port of its own"
    ]


@pytest.mark.parametrize("change", ["gateway.enabled=false", "gateway.host=127.0.0.2", "gateway.port=8801"])
def test_one_port_may_stand_twice_where_both_can_have_it(file: Path, change: str) -> None:
    assert read(file, "api: {port: 8800}\ngateway: {enabled: true, port: 8800}\n", [change])


def test_an_unknown_validator_says_which_there_are(file: Path) -> None:
    (line,) = faults(file, "tasks:\n  erd: {validator: mermaid}\n")
    assert line.startswith("adaptd.yaml:2: tasks.erd.validator: there is no validator 'mermaid'")
    assert "mermaid_erd" in line
