"""A study: one job, varied, over seeds; what each of its runs is configured by."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from autodl.config.job import Sections
from autodl.config.reading import RawConfig, load_config
from autodl.config.sections import Section, check_sections, read_section, validate
from autodl.errors import ConfigError, StoreError
from autodl.recipes.config import TrainConfig
from autodl.studies.jobs import JOBS, Job
from autodl.studies.options import AgainOptions, RankOptions, Reference, StudyOptions

SECTION = "Study"
THEN = "then"  # of all runs, or of a variation's
TRAINING = TrainConfig.names()
_STEP_OPTIONS: Mapping[str, type[Section]] = {"again": AgainOptions, "rank": RankOptions}
Known = Callable[[str], Mapping[str, float | str]]


class Planned(NamedTuple):
    """One run of a study; its folder is called ``variation-seed``."""

    variation: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.variation}-{self.seed}"


@dataclass(frozen=True, slots=True)
class Study:
    """A checked study. ``raw`` has all that its file says, with the section ``Study``."""

    options: StudyOptions
    raw: RawConfig

    @classmethod
    def load(cls, path: Path | str, overrides: Sequence[str] = ()) -> Study:
        """Read a study; check its steps, and every run that waits for no other.

        Args:
            path: a YAML file, or the name of a shipped one such as ``study/table.yaml``.
            overrides: ``Section.key=value`` each.

        Raises:
            ConfigError: the file, an override, a run's configuration or a step's is unusable.
        """
        study = cls.resolve(load_config(Path(path), overrides))
        for variation in study.options.vary:
            run = Planned(variation, study.options.seeds[0])
            if not study.waits_for(variation):
                study.config(run)
            study._check_together(variation)
            steps = study.steps(variation)
            if "again" in steps and not study.waits_for(variation):
                study.again(run)
            if "train" in steps:
                study.training(run)
            if "rank" in steps:
                study.alone()
        return study

    @classmethod
    def resolve(cls, raw: RawConfig) -> Study:
        """Check the section ``Study``, and that the others are those of its job.

        Raises:
            ConfigError: an unknown section, key or step, or a reference to what is not earlier.
        """
        options = read_section(StudyOptions, raw, SECTION)
        study = cls(options, raw)
        job = study.job
        study._check_steps(options.then.items(), (SECTION, THEN))
        for variation in options.vary:
            sections = [name for name in job.sections.names() if name != SECTION]
            if options.vary[variation]:
                check_sections(raw.below(SECTION, "vary", variation), (*sections, THEN))
            own = study.steps(variation).items()
            study._check_steps(own, (SECTION, "vary", variation, THEN))
        every = {*options.then, *(s for name in options.vary for s in study.steps(name))}
        trains = TRAINING if {"again", "train", "rank"} & every else ()
        check_sections(raw, tuple(dict.fromkeys([*job.sections.names(), *trains, SECTION])))
        if job.needs_source and options.source is None:
            raise ConfigError(
                f"Study.source is missing: job: {options.job} starts from {job.start}"
            )
        study._check_references()
        return study

    @property
    def job(self) -> Job:
        """What its runs are."""
        return JOBS[self.options.job]

    @property
    def runs(self) -> tuple[Planned, ...]:
        """All runs, seed by seed, so that a study that is cut short has pairs."""
        return tuple(Planned(name, seed) for seed in self.seeds for name in self.options.names)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Those that are reported: the second half of them where the first chooses options."""
        seeds = self.options.seeds
        return seeds[len(seeds) // 2 :] if self.options.tune else seeds

    def waits_for(self, variation: str) -> set[str]:
        """Variations that must have run before, as a value is what they came to."""
        values = self.options.vary.get(variation, {})
        return {reference.of for reference in self._references(variation, values)}

    def config(
        self, run: Planned, tuned: Mapping[str, Any] | None = None, known: Known | None = None
    ) -> Sections:
        """The configuration of a run.

        Args:
            tuned: the sections of the variation ``tuned``.
            known: the numbers of another variation's run of this seed, by its name.

        Raises:
            ConfigError: it is unusable, or refers to a number that there is not.
        """
        return self.job.sections.resolve(self.varied(run, tuned, known))

    def varied(
        self, run: Planned, tuned: Mapping[str, Any] | None = None, known: Known | None = None
    ) -> RawConfig:
        """The sections of a run's job, unchecked; see ``config``."""
        own = RawConfig(dict(tuned or {}))
        if run.variation in self.options.vary:
            own = self.raw.below(SECTION, "vary", run.variation)
        seeded = self.raw.merged(own).merged(RawConfig({"Global": {"seed": run.seed}}))
        merged = seeded.only(name for name in self.job.sections.names() if name != SECTION)
        if known is not None:
            return RawConfig(self._filled(run, merged.values, known), merged.origins)
        return merged

    def steps(self, variation: str) -> dict[str, dict[str, Any]]:
        """What follows the runs of a variation, with its options.

        Raises:
            ConfigError: a variation's ``then`` is no mapping of mappings.
        """
        found: dict[str, dict[str, Any]] = {
            str(step): values for step, values in self.options.then.items()
        }
        own = self.options.vary.get(variation, {}).get(THEN, {})
        if not isinstance(own, Mapping):
            raise ConfigError(
                f"Study.vary.{variation}.then has options by step, such as {{train: {{}}}};"
                f" got {own!r}"
            )
        for step, values in own.items():
            if values is None:
                found.pop(step, None)
            elif isinstance(values, Mapping):
                shared = RawConfig(found.get(step, {}))
                found[step] = shared.merged(RawConfig(dict(values))).values
            else:
                raise ConfigError(
                    f"Study.vary.{variation}.then.{step} is a mapping or null, got {values!r}"
                )
        return {step: found[step] for step in (*self.job.steps, *found) if step in found}

    def training(self, run: Planned) -> TrainConfig:
        """How what a run has found is trained: the file's sections, and those of the step on top.

        Raises:
            ConfigError: it is unusable.
        """
        step = self.raw.below(SECTION, "then")
        own = step.below("train") if isinstance(step.values, Mapping) else RawConfig({})
        varied = self.raw.below(SECTION, "vary", run.variation)
        if isinstance(varied.values.get(THEN), Mapping):
            own = own.merged(varied.below(THEN, "train"))
        seeded = RawConfig({"Global": {"seed": run.seed}})
        return TrainConfig.resolve(self.raw.only(TRAINING).merged(own).merged(seeded))

    def again(self, run: Planned) -> tuple[AgainOptions, tuple[TrainConfig, ...]]:
        """How many of a search's best are trained again, and how: a configuration for each seed.

        Raises:
            ConfigError: it is unusable.
        """
        options = AgainOptions(**self.steps(run.variation)["again"])
        own = RawConfig({})
        if run.variation in self.options.vary:
            own = self.raw.below(SECTION, "vary", run.variation).only(TRAINING)
        shared = self.raw.only(TRAINING).merged(own)
        seeds = (RawConfig({"Global": {"seed": seed}}) for seed in range(options.seeds))
        return options, tuple(TrainConfig.resolve(shared.merged(seed)) for seed in seeds)

    def alone(self) -> tuple[RankOptions, TrainConfig]:
        """What the step ``rank`` trains by itself, and how: on the pictures of the runs.

        Raises:
            ConfigError: it is unusable.
        """
        options = RankOptions(**self.options.then["rank"])
        change = {"Global": {"seed": self.seeds[0]}, "Train": {"epochs": options.epochs}}
        return options, TrainConfig.resolve(self.raw.only(TRAINING).merged(RawConfig(change)))

    def to_plain(self) -> dict[str, Any]:
        """What its file says, and every key of the section ``Study``."""
        return {**self.raw.values, SECTION: self.options.model_dump(mode="json")}

    def source(self, seed: int) -> str | None:
        """What a run of a seed starts from."""
        given = self.options.source
        return None if given is None else given.replace("{seed}", str(seed))

    def _check_steps(self, steps: Iterable[tuple[str, Any]], path: tuple[str, ...]) -> None:
        where = ".".join(path)
        for step, values in steps:
            if step not in self.job.steps:
                allowed = ", ".join(self.job.steps) or "nothing"
                raise ConfigError(
                    f"{where} names {step}; what can follow a {self.options.job} is {allowed}"
                )
            if step in _STEP_OPTIONS:
                validate(_STEP_OPTIONS[step], values, self.raw, (*path, step))
            elif step != "train" and values:
                raise ConfigError(f"{where}.{step} takes no options, got {values}")

    def _check_together(self, variation: str) -> None:
        """Refuse steps of a variation that need others, or that all variations share."""
        where, steps = f"Study.vary.{variation}.then", self.steps(variation)
        if "test" in steps and "train" in self.job.steps and "train" not in steps:
            raise ConfigError(
                f"{variation}: what is tested has to be trained; add train to Study.then, or leave"
                f" it out by {where}={{test: null}}"
            )
        own = self.options.vary[variation].get(THEN) or {}
        if own.get("rank") is not None:
            raise ConfigError(
                f"{where}.rank: what is trained by itself serves all variations; give rank in"
                " Study.then, or null here"
            )

    def _references(self, variation: str, values: Any) -> list[Reference]:
        if isinstance(values, Mapping):
            if "of" in values and "value" in values:
                path = (SECTION, "vary", variation)
                return [validate(Reference, values, self.raw, path)]
            values = list(values.values())
        if isinstance(values, list | tuple):
            return [found for value in values for found in self._references(variation, value)]
        return []

    def _check_references(self) -> None:
        earlier: list[str] = []
        for variation in self.options.vary:
            for missing in self.waits_for(variation).difference(earlier):
                raise ConfigError(
                    f"Study.vary.{variation} refers to {missing!r}, which is no variation before"
                    f" it; before it are {', '.join(earlier) or 'none'}"
                )
            earlier.append(variation)

    def _filled(self, run: Planned, values: Any, known: Known) -> Any:
        """Values with references replaced by what they refer to."""
        if isinstance(values, Mapping):
            if "of" in values and "value" in values:
                reference = validate(Reference, values, self.raw, (SECTION, "vary", run.variation))
                return _referred(reference, known(reference.of))
            return {key: self._filled(run, value, known) for key, value in values.items()}
        if isinstance(values, list):
            return [self._filled(run, value, known) for value in values]
        return values


def _referred(reference: Reference, numbers: Mapping[str, float | str]) -> float | str:
    if reference.value not in numbers:
        raise StoreError(
            f"{reference.of} has no {reference.value!r}; it has {', '.join(sorted(numbers))}"
        )
    value = numbers[reference.value]
    if isinstance(value, str):
        return value
    value *= reference.times
    if reference.at_most is not None:
        value = min(value, reference.at_most)
    return math.floor(value) if reference.whole else value
