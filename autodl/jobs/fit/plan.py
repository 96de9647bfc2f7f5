"""What to do with so many pictures in so many minutes: a pure function that gives its reasons.

The network that is planned is hand-made (``Airbench``): it is always tried, and what is searched
for costs as much as it does. Costs are multiply-accumulates of a forward pass and, for values that
pass through memory, as many as take as long; how many a second of training does is measured.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cache
from math import ceil, log2
from typing import Any

from autodl.errors import ConfigError
from autodl.jobs.fit.finishing import SLOWER, Finishing, look_count, seconds_beside
from autodl.spaces.classic.airbench import airbench_plan
from autodl.spaces.stage.budget import work

Widths = tuple[int, int, int]
# sides and widths that are chosen from, cheap ones first; a side above that of the pictures is left
# out. Sides grow before widths: without its details a picture tells no wide network more
LEVELS: tuple[tuple[int, Widths], ...] = (
    (16, (16, 32, 32)),
    (24, (16, 32, 32)),
    (32, (16, 32, 32)),
    (32, (24, 48, 48)),
    (32, (32, 64, 64)),
    (48, (32, 64, 64)),
    (48, (48, 96, 96)),
    (64, (48, 96, 96)),
    (64, (64, 128, 128)),
    (96, (64, 128, 128)),
    (96, (64, 256, 256)),
    (96, (128, 384, 384)),
)
SIDES = tuple(sorted({side for side, _ in LEVELS}))
VALUE_COST = 60.0  # multiply-accumulates for a value, as docs/stages.md has it
ENOUGH_UPDATES = 300
# a network that needs more seconds than this to be trained enough is taken only where its like can
# be searched for, too
SEARCHED_FROM = 240.0
ENOUGH_EPOCHS = 12  # of the retraining, if the time allows a wider network or larger pictures
MOST_EPOCHS = 400  # more of few pictures are not trained
LEAST_STEPS, BATCHES = 16, (16, 256)  # updates in an epoch; pictures in an update
FEW_OF_A_CLASS = 500  # training pictures, up to which a released network may know more
READING, COMPARING, SEARCHING = 0.25, 0.25, 0.3  # largest shares of the time
TRIAL_EPOCHS, FEWEST_TRIALS, MOST_TRIALS = 3, 6, 100
TRIAL_SECONDS = 10.0  # at least; below that what a trial needs beside its training counts too much


@dataclass(frozen=True, slots=True)
class Machine:
    """How fast this machine is, measured at the beginning.

    ``training`` and ``looking`` are work (see ``network_work``) times pictures a second, of
    training and of forward passes, ``exporting`` are the seconds of exporting a network, and
    ``burden`` is how many seconds a processor second takes where there is other work.
    """

    training: float
    looking: float
    exporting: float
    burden: float = 1.0


@dataclass(frozen=True, slots=True)
class Gathered:
    """Of pictures that are read already: why they are so many and of that side, for people.

    ``folder`` is where they were read.
    ``held_out`` are to be cut from the training part; None for the usual share of it, as fits of
    earlier versions have it, and where there is a held-out part.
    """

    pictures: str = "as they were gathered in the first start"
    side: str = "as they were gathered in the first start"
    held_out: int | None = None
    folder: str = "the folder of the first start"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a plan is made from.

    ``train``, ``held_out`` and ``test`` count pictures, ``side`` is the pictures' own in pixels,
    ``seconds`` are left for all that follows, ``read_seconds`` are those to read one picture, and
    ``views`` of a picture are looked at: 2 with its mirror image. Where pictures are ``gathered``,
    all that is left of them is read already, and ``side`` is theirs.
    """

    train: int
    held_out: int
    test: int
    classes: int
    side: int
    seconds: float
    machine: Machine
    read_seconds: float = 0.0
    views: int = 2
    gathered: Gathered | None = None


@dataclass(frozen=True, slots=True)
class Shares:
    """Seconds of each step; their sum is what was left."""

    reading: float
    comparing: float
    searching: float
    retraining: float
    finishing: float

    @property
    def total(self) -> float:
        """All of them."""
        return float(sum(asdict(self).values()))


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done, and ``reasons``: a line for each decision, by its name."""

    side: int
    widths: Widths
    batch: int
    train: int
    epochs: int
    trials: int
    candidates: int
    released: bool
    shares: Shares
    reasons: dict[str, str]

    def to_plain(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Plan:
        """The inverse of ``to_plain``.

        Raises:
            KeyError, TypeError, ValueError: it is no plan.
        """
        first, second, third = plain["widths"]
        return cls(
            **{**plain, "shares": Shares(**plain["shares"]), "widths": (first, second, third)}
        )

    @property
    def trial_seconds(self) -> float:
        """Of one training of the search, or of the comparison before the retraining."""
        if self.trials:
            return self.shares.searching / self.trials
        return self.shares.comparing / self.candidates if self.candidates > 1 else 0.0

    @property
    def candidate_seconds(self) -> float:
        """Of each training that the choice of what is retrained is made by."""
        return self.shares.comparing / self.candidates if self.candidates > 1 else 0.0


@cache
def network_work(side: int, widths: Widths) -> float:
    """Of one picture, in multiply-accumulates."""
    return work(airbench_plan(classes=10, image_size=side, widths=widths), VALUE_COST)


def enough_epochs(train: int) -> int:
    """How many a network should be trained for, if the time allows a wider or a cheaper one."""
    return max(ENOUGH_EPOCHS, ceil(ENOUGH_UPDATES / max(train // _batch(train), 1)))


def seconds_of_epoch(facts: Facts, train: int, side: int, widths: Widths) -> float:
    """Of training, predicted."""
    return train * network_work(side, widths) / facts.machine.training


def finishing_of(facts: Facts, side: int, widths: Widths) -> Finishing:
    """What is left to do behind the last training, predicted for the hand-made network."""
    machine = facts.machine
    return Finishing(
        look_count(facts.held_out, facts.test, facts.views),
        SLOWER * network_work(side, widths) / machine.looking,
        seconds_beside(facts.seconds, machine.exporting, machine.burden),
    )


def make_plan(facts: Facts, *, image_size: int | None = None, released: bool = True) -> Plan:
    """Choose everything.

    Args:
        image_size: asked for; None to choose. Gathered pictures have the side that they have.
        released: whether a released network may be tried.

    Raises:
        ConfigError: the time is too short for one epoch; the message says how much is needed.
    """
    train, reading = _pictures(facts)
    levels = _levels(facts, facts.side if facts.gathered else image_size)
    few = released and train <= FEW_OF_A_CLASS * facts.classes
    chosen = levels[0]
    for level in levels:
        if _affordable(facts, train, reading, level, few):
            chosen = level
    side, widths = chosen
    finishing = finishing_of(facts, side, widths).seconds
    left = facts.seconds - reading - finishing
    epoch = seconds_of_epoch(facts, train, side, widths)
    if left < epoch:
        raise ConfigError(_too_short(facts, chosen))
    trials = _trials(left * SEARCHING, epoch)
    candidates = 1 + few + bool(trials)
    searching = SEARCHING * left if trials else 0.0
    comparing = COMPARING * left if candidates > 1 and left >= 4 * candidates * epoch else 0.0
    if not comparing:
        candidates, trials, searching, few = 1, 0, 0.0, False
    retraining = left - searching - comparing
    shares = Shares(reading, comparing, searching, retraining, finishing)
    epochs = max(1, min(MOST_EPOCHS, ceil(retraining / epoch)))
    batch = _batch(train)
    plan = Plan(side, widths, batch, train, epochs, trials, candidates, few, shares, {})
    return Plan(**{**_fields(plan), "reasons": _reasons(facts, plan, image_size, epoch)})


def _fields(plan: Plan) -> dict[str, Any]:
    return {name: getattr(plan, name) for name in Plan.__dataclass_fields__}


def _pictures(facts: Facts) -> tuple[int, float]:
    """How many training pictures are used, and the seconds to read all pictures."""
    whole = facts.train + facts.held_out + facts.test
    seconds, most = whole * facts.read_seconds, READING * facts.seconds
    if seconds <= most or not facts.read_seconds:  # gathered before
        return facts.train, seconds
    spare = most - (facts.held_out + facts.test) * facts.read_seconds
    train = max(int(spare / facts.read_seconds), 2 * facts.classes)
    train = min(train, facts.train)
    return train, (train + facts.held_out + facts.test) * facts.read_seconds


def _levels(facts: Facts, image_size: int | None) -> list[tuple[int, Widths]]:
    """Sides and widths that come into question, cheap ones first."""
    if image_size is not None:
        return [(image_size, widths) for widths in dict.fromkeys(w for _, w in LEVELS)]
    largest = max((side for side in SIDES if side <= facts.side), default=SIDES[0])
    return list(dict.fromkeys((min(side, largest), widths) for side, widths in LEVELS))


def _affordable(
    facts: Facts, train: int, reading: float, level: tuple[int, Widths], compared: bool
) -> bool:
    """Whether there is time to train a level enough, and where that takes long, to search, too."""
    left = facts.seconds - reading - finishing_of(facts, *level).seconds
    epoch = seconds_of_epoch(facts, train, *level)
    enough = enough_epochs(train) * epoch / (1.0 - (COMPARING if compared else 0.0))
    return left >= enough and (enough <= SEARCHED_FROM or _trials(left * SEARCHING, epoch) > 0)


def _trials(seconds: float, epoch: float) -> int:
    """How many trainings a search of so many seconds has; 0 where that is no search."""
    trials = int(seconds / max(TRIAL_EPOCHS * epoch, TRIAL_SECONDS))
    return min(trials, MOST_TRIALS) if trials >= FEWEST_TRIALS else 0


def _batch(train: int) -> int:
    """A power of two of which an epoch has some."""
    size = 1 << int(log2(max(train / LEAST_STEPS, 2)))
    least, most = BATCHES
    return min(max(size, min(least, train)), most)


def _too_short(facts: Facts, level: tuple[int, Widths]) -> str:
    """How much time is missing; with more of it more pictures are read, so it is tried."""
    longer = replace(facts, seconds=max(facts.seconds, 0.0))
    while True:
        train, reading = _pictures(longer)
        epoch = seconds_of_epoch(longer, train, *level)
        if longer.seconds >= reading + finishing_of(longer, *level).seconds + epoch:
            break
        longer = replace(longer, seconds=longer.seconds * 1.02 + 0.1)
    missing = longer.seconds - facts.seconds
    left = f"{facts.seconds:.0f} seconds are left"
    if facts.seconds < 0:
        left = f"getting ready took {-facts.seconds:.0f} seconds more than there are"
    return (
        f"{left}, and one epoch of {train:,} pictures with all that"
        f" comes before and behind it takes {longer.seconds:.0f} on this machine: give"
        f" {ceil(10 * missing / 60) / 10:.1f} --minutes more"
    )


def why_gathered(facts: Facts, plan: Plan, image_size: int | None) -> Gathered:
    """Why a plan has so many pictures, and these of that side."""
    side = plan.side
    if image_size is not None:
        why_side = "asked for"
    elif side > facts.side:
        why_side = f"the pictures have {facts.side}, the networks need {SIDES[0]}: enlarged"
    elif side == max((s for s in SIDES if s <= facts.side), default=SIDES[0]):
        why_side = f"the pictures have {facts.side}"
    else:
        why_side = f"of {facts.side} there is no time for {enough_epochs(plan.train)} epochs"
    thinned = (
        f"of {facts.train:,}; more cannot be read in {READING:.0%} of the time"
        if plan.train < facts.train
        else "all behind those held out"
    )
    return Gathered(thinned, why_side)


def _reasons(facts: Facts, plan: Plan, image_size: int | None, epoch: float) -> dict[str, str]:
    side, widths, shares = plan.side, "-".join(map(str, plan.widths)), plan.shares
    why = facts.gathered or why_gathered(facts, plan, image_size)
    whole = shares.retraining / epoch
    wanted = enough_epochs(plan.train)
    enough = "at least" if whole >= wanted else "though fewer than"
    searched = (
        f"of {shares.searching / plan.trials:.0f} s each, networks as costly as the hand-made"
        if plan.trials
        else f"there is no time for {FEWEST_TRIALS} trainings of {TRIAL_EPOCHS} epochs"
    )
    compared = (
        f"each trained for {plan.candidate_seconds:.0f} s, the best of them is retrained"
        if plan.candidates > 1
        else "the hand-made network alone"
    )
    released = (
        f"tried: {plan.train:,} pictures are at most {FEW_OF_A_CLASS} for each of"
        f" {facts.classes} classes"
        if plan.released
        else "not tried: not asked for, enough pictures to learn from, or no time to compare"
    )
    return {
        "pictures": f"{plan.train:,} to train on, {why.pictures}",
        "side": f"{side} pixels; {why.side}",
        "network": f"Airbench {widths}, {network_work(side, plan.widths) / 1e6:.0f} M"
        f" multiply-accumulates or as much; {enough} {wanted} epochs fit into its retraining",
        "recipe": "fast-muon: the fewest epochs to an accuracy of all recipes here",
        "batch": f"{plan.batch} pictures: at least {LEAST_STEPS} updates in an epoch, within"
        f" {BATCHES[0]} to {BATCHES[1]}",
        "released network": released,
        "search": f"{plan.trials} trials; {searched}",
        "comparison": f"{plan.candidates} candidates; {compared}",
        "retraining": f"about {min(whole, MOST_EPOCHS):.0f} epochs in {shares.retraining:.0f} s",
        "finishing": f"{shares.finishing:.0f} s to test, calibrate, export and describe",
    }
