"""adaptd.yaml, where nothing is wrong with it: defaults fill it up, paths are placed, tasks get their own."""

from __future__ import annotations

from pathlib import Path

from consumers.sources.jsonl import Settings as JsonlSettings
from consumers.sources.kafka import Settings as KafkaSettings
from tests.daemon.config_texts import KAFKA, read


def test_an_empty_file_means_all_defaults(file: Path) -> None:
    config = read(file, "")
    assert config.batching.min == 20
    assert config.sources == []


def test_an_empty_section_means_its_defaults(file: Path) -> None:
    assert read(file, "batching:\nsources:\ntasks:\n  erd:\n").task("erd") is not None


def test_a_key_of_a_later_version_that_is_off_does_no_harm(file: Path) -> None:
    text = "learners: {curriculum: true, active: false, augmentation: off}\nrelease: {canary: 0}\nwatch: off\n"
    assert read(file, text).learners.on("curriculum")


def test_null_stands_for_never(file: Path) -> None:
    text = "updates: {off_policy: {solved_margin: null, stale_margin: null, superseded_after: null}}"
    assert set(read(file, text).updates.off_policy.model_dump().values()) == {None}


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
