"""adaptd.yaml: what is wrong with it is said with its place and what to write; what is right is composed and placed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import dedent

import pytest

from consumers.sources.jsonl import Settings as JsonlSettings
from consumers.sources.kafka import Settings as KafkaSettings
from daemon.actions.init import Users, template, write_config
from daemon.config import Config, load
from daemon.errors import ConfigError, Denied

KAFKA = "{type: kafka, bootstrap_servers: ['broker:9092'], topics: [feedback]"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "adaptd.yaml"


def read(file: Path, text: str, overrides: Sequence[str] = (), environ: Mapping[str, str] | None = None) -> Config:
    file.write_text(dedent(text), encoding="utf-8")
    return load(file, overrides=overrides, environ=environ or {})


def faults(file: Path, text: str, overrides: Sequence[str] = (), environ: Mapping[str, str] | None = None) -> list[str]:
    """Each fault's line, with the file's folder left out."""
    with pytest.raises(ConfigError) as caught:
        read(file, text, overrides, environ)
    return [line.removeprefix(f"{file.parent}/") for line in str(caught.value).splitlines()]


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


def test_an_empty_file_means_all_defaults(file: Path) -> None:
    config = read(file, "")
    assert config.batching.min == 20
    assert config.sources == []


def test_an_empty_section_means_its_defaults(file: Path) -> None:
    assert read(file, "batching:\nsources:\ntasks:\n  erd:\n").task("erd") is not None


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


def test_a_key_of_a_later_version_that_is_off_does_no_harm(file: Path) -> None:
    text = "learners: {curriculum: true, active: false, augmentation: off}\nrelease: {canary: 0}\nwatch: off\n"
    assert read(file, text).learners.on("curriculum")


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


def test_a_contradiction_is_blamed_on_the_flags_that_make_it(file: Path) -> None:
    text, words = "batching:\n  min: 10\n", "batching.max (20) is below batching.min (100); raise max or lower min"
    both = ["batching.min=100", "batching.max=20", "batching.max_wait=1h"]
    assert faults(file, text, both) == [f"--set batching.min=100, --set batching.max=20: batching: {words}"]
    (line,) = faults(file, "batching: {min: 100}\n", ["batching.max=20"])
    assert line.startswith("--set batching.max=20: batching: ")
    (line,) = faults(file, "batching: {min: 100, max: 20}\n", ["batching.max_wait=1h"])
    assert line.startswith("adaptd.yaml:1: batching: ")


def test_a_list_that_is_none_is_called_a_list(file: Path) -> None:
    (line,) = faults(file, f"sources:\n  - {KAFKA.replace('[feedback]', 'feedback')}}}\n")
    assert line == "adaptd.yaml:2: sources.0.topics: Input should be a valid list (it is 'feedback')"


def test_null_stands_for_never(file: Path) -> None:
    text = "updates: {off_policy: {solved_margin: null, stale_margin: null, superseded_after: null}}"
    assert set(read(file, text).updates.off_policy.model_dump().values()) == {None}


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


# -- flags and variables


def test_flags_lie_over_variables_and_those_over_the_file(file: Path) -> None:
    text = "batching: {min: 21, max: 70}\n"
    assert read(file, text).batching.min == 21
    environ = {"ADAPTD_BATCHING__MIN": "22", "ADAPTD_API__PORT": "8800", "ADAPTD_URL": "http://x", "HOME": "/"}
    assert read(file, text, environ=environ).batching.min == 22
    config = read(file, text, ["batching.min=23"], environ)
    assert (config.batching.min, config.batching.max, config.api.port) == (23, 70, 8800)


def test_a_flag_reaches_into_a_section_that_the_file_leaves_empty(file: Path) -> None:
    task = read(file, "tasks:\n  erd:\n", ["tasks.erd.batching.min=30"]).task("erd")
    assert task is not None
    assert task.batching.min == 30


def test_a_bad_flag_or_variable_is_named_instead_of_a_line(file: Path) -> None:
    text = "batching: {min: 20}\n"
    assert faults(file, text, ["batching.min=few"])[0].startswith("--set batching.min=few: batching.min: ")
    environ = {"ADAPTD_BATCHING__MIN": "few"}
    assert faults(file, text, environ=environ)[0].startswith("ADAPTD_BATCHING__MIN: batching.min: ")
    assert faults(file, text, ["batchng.min=3"]) == [
        "--set batchng.min=3: batchng: unknown key; did you mean `batching`?"
    ]


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("batching.min", "write it as key.path=value, such as batching.min=30"),
        ("=3", "write it as key.path=value"),
        ("batching.min={", "the value is not valid YAML"),
        ("batching.min.x=3", "min has no keys of its own"),
        ("sources.0.name=x", "sources has no keys of its own"),
    ],
)
def test_a_flag_that_makes_no_sense_says_why(file: Path, flag: str, words: str) -> None:
    (line,) = faults(file, "batching: {min: 20}\nsources: [{type: http}]\n", [flag])
    assert line.startswith(f"--set {flag}: ")
    assert words in line


# -- what it becomes


def test_relative_paths_start_at_the_files_folder(file: Path) -> None:
    (file.parent / "base").mkdir()
    (file.parent / "schema.json").write_text("{}")
    text = f"""\
        model: {{base: base}}
        storage: {{url: "sqlite:///here/adaptd.db", artifacts: art}}
        release: {{directory: {{path: out}}}}
        sources:
          - {{type: jsonl, path: feedback.jsonl}}
          - {KAFKA}, security: {{protocol: SSL, ca_file: ca.pem}}}}
        tasks:
          t: {{validator: {{name: json_schema, settings: {{schema_file: schema.json}}}}}}
        """
    config, folder = read(file, text), file.parent
    assert config.model.base == str(folder / "base")
    assert config.storage.url == f"sqlite:///{folder}/here/adaptd.db"
    assert (config.storage.artifacts, config.release.directory.path) == (str(folder / "art"), folder / "out")
    jsonl, kafka = config.sources
    assert isinstance(jsonl, JsonlSettings)
    assert jsonl.path == folder / "feedback.jsonl"
    assert isinstance(kafka, KafkaSettings)
    assert kafka.security.ca_file == folder / "ca.pem"
    chosen = config.tasks["t"].validator
    assert chosen is not None
    assert chosen.settings == {"schema_file": str(folder / "schema.json")}


def test_absolute_paths_and_hub_names_stay_as_they_are(file: Path) -> None:
    text = 'model: {base: org/model}\nstorage: {url: "sqlite:////srv/a.db", artifacts: /srv/art}\n'
    config = read(file, text)
    assert config.model.base == "org/model"
    assert (config.storage.url, config.storage.artifacts) == ("sqlite:////srv/a.db", "/srv/art")


def test_a_tasks_own_keys_lie_over_the_global_ones(file: Path) -> None:
    text = """\
        batching: {min: 20, max: 40}
        rewards: {half_life: 10d}
        updates: {sft: {min_signal: 0.6}}
        tasks:
          erd: {validator: mermaid_erd, batching: {min: 30}, sft: {min_signal: 0.9}, learners: {curriculum: true}}
          '*': {rewards: {half_life: 1d}}
        """
    config = read(file, text)
    erd, other = config.task("erd"), config.task("anything")
    assert erd is not None
    assert other is not None
    assert (erd.batching.min, erd.batching.max, erd.sft.min_signal) == (30, 40, 0.9)
    assert (erd.rewards.half_life, erd.learners.on("curriculum")) == (864000.0, True)
    assert erd.validator is not None
    assert erd.validator.name == "mermaid_erd"
    assert (other.rewards.half_life, other.batching.min, other.validator) == (86400.0, 20, None)


def test_a_task_that_is_not_declared_is_not_learned(file: Path) -> None:
    assert read(file, "tasks: {erd: {}}").task("other") is None


def test_a_sources_name_is_its_type_until_it_has_one(file: Path) -> None:
    config = read(file, "sources:\n  - {type: http}\n  - {type: http, name: second}\n")
    assert [source.name for source in config.sources] == ["http", "second"]


# -- adaptd init


@pytest.mark.parametrize("users", ["one", "many"])
def test_what_init_writes_loads_as_it_is(file: Path, users: Users) -> None:
    config = load(write_config(file, users), environ={})
    assert config.task("my-task") is not None
    assert [source.type for source in config.sources] == ["http"]
    assert config.model.base == str(file.parent / "base-model")
    if users == "one":
        assert (config.holdout.by, config.batching.min_users, config.batching.max_share_per_user) == ("prompt", 1, 1.0)
    else:
        assert (config.holdout.by, config.batching.min_users, config.batching.max_share_per_user) == ("user", 5, 0.2)


@pytest.mark.parametrize("users", ["one", "many"])
def test_the_commented_out_lines_of_init_are_right_too(file: Path, users: Users) -> None:
    config = read(file, template(users).replace("  # - {", "  - {").replace("  # erd:", "  erd:"))
    assert [source.type for source in config.sources] == ["http", "kafka", "jsonl"]
    assert set(config.tasks) == {"my-task", "erd"}


def test_init_never_writes_over_a_file_unasked(file: Path) -> None:
    file.write_text("mine")
    with pytest.raises(Denied, match="exists already; --force"):
        write_config(file, "many")
    assert file.read_text() == "mine"
    write_config(file, "many", force=True)
    assert load(file, environ={}).tasks


def test_init_says_where_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Denied, match="cannot be written: Not a directory"):
        write_config(tmp_path / "file" / "adaptd.yaml", "one")
