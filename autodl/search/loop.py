"""The loop that ties strategy, executor and store together."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from autodl.errors import StoreError
from autodl.runs.store import Proposal, TrialStore
from autodl.search.asking import Answers, Limits, ask_within, keep_within
from autodl.search.executors.executor import Executor
from autodl.search.observers.observer import Observer
from autodl.search.parent_weights import ParentWeights
from autodl.search.reuse import Reuse
from autodl.search.screening import Screen
from autodl.search.staging import Staging
from autodl.search.teller import Teller
from autodl.search.tried import Tried
from autodl.strategies.strategy import Breeder, Child, Prepared, Strategy
from autodl.trial import Architecture, Stage, Trial, TrialFailure, TrialState

_LOOK_EVERY_SECONDS = 1.0
_MOST_WAITING = 100
_AT_A_TIME = 1000  # stored proposals in memory


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a search ends before its trials are done, and how.

    Trials that are running are finished and no others are started; with ``cut`` they are ended
    at once: FAILED with the reason, or PAUSED with what a stage before had reached.
    """

    reason: str
    cut: bool = False


def never(trial: Trial | None) -> Stop | None:
    """Search until all trials are done."""
    return None


def search(
    strategy: Strategy,
    executor: Executor,
    store: TrialStore,
    *,
    max_trials: int,
    seed: int,
    observers: Sequence[Observer] = (),
    snapshot_every: int = 100,
    stop: Callable[[Trial | None], Stop | None] = never,
    staging: Staging | None = None,
    reuse: Reuse | None = None,
    limits: Limits | None = None,
    weights: ParentWeights | None = None,
    tried: Tried | None = None,
    screen: Screen | None = None,
    first: Sequence[Architecture] = (),
) -> Generator[Trial, None, str]:
    """Run trials until ``max_trials`` are finished or none is left; yield each as it finishes.

    Killing it at any point is safe: a proposal is stored before it is evaluated, a result
    before the strategy learns from it. A proposal that was not finished is evaluated again, with
    the generator it would have had, not asked for again.

    Observers, and whoever consumes the trials, get each one after the worker that is free now
    has its next proposal, so that they may take their time.

    Args:
        stop: called with every trial that finishes, before another one is started, and with
            None at the start and about once a second. A ``Stop`` is not taken back by a later
            None; it can be sharpened by one that cuts. Proposals that were not started are left
            for the next start.
        staging: takes trials through stages; without it each is evaluated in one go.
        reuse: finds results that are known already; without it all are evaluated.
        limits: what proposals must not exceed.
        weights: those of parents, which children inherit; without it every training begins anew.
        tried: remembers what was proposed; without it everything may be proposed again.
        screen: has the first proposals, and passes over later ones; a strategy that has first
            proposals of its own goes without.
        first: what is tried before all that the strategy or the screen has.

    Returns:
        Why the strategy had no more to propose, if that was the end; else nothing.

    Raises:
        ConfigError: nothing that is proposed is within the limits.
        StoreError: the weights that children would inherit are gone.
    """
    teller = Teller(strategy, store, observers, snapshot_every)
    store.reset_running()  # a kill has left them
    if staging is not None:
        staging.recover()
    if weights is not None:
        weights.recover(teller.untold)
    proposer = _Proposer(strategy, seed, limits, tried, screen, first)
    feeder = _Feeder(proposer, executor, store, max_trials, staging, reuse, weights)
    finisher = _Finisher(teller, feeder, store, weights, stop)
    shown: tuple[int, ...] = ()
    try:
        trials = finisher.finish(feeder.ended())  # by a verdict that came just before a kill
        while True:
            known = finisher.finish(feeder.feed(teller.told)) if finisher.halt is None else []
            teller.report()
            yield from (*trials, *known)
            halt = finisher.halt
            if halt is not None and halt.cut:
                break
            running = executor.running()
            if running and running != shown:
                for observer in observers:
                    observer.running(running)
                shown = running
            if not running and not known:
                trials = finisher.finish(feeder.give_up()) if halt is None else []
                if not trials:
                    return feeder.ended_by if halt is None else ""
                continue
            # what is known makes room, or news for the strategy: no waiting then
            trial = executor.wait(0.0 if known else _LOOK_EVERY_SECONDS) if running else None
            trials = finisher.take(trial, observers) if trial is not None else []
            if not trials and not known:
                finisher.look()
        ends = executor.cut(halt.reason)
        trials = finisher.finish(e for trial in ends for e in feeder.settle(trial, cut=True))
        teller.report()
        yield from trials
        return ""
    finally:
        with suppress(StoreError):  # the next start does it too
            store.reset_running()


class _Finisher:
    """Stores trials that finish, tells of them, and sees whether that is enough (``halt``)."""

    def __init__(
        self,
        teller: Teller,
        feeder: _Feeder,
        store: TrialStore,
        weights: ParentWeights | None,
        stop: Callable[[Trial | None], Stop | None],
    ) -> None:
        self._teller = teller
        self._feeder = feeder
        self._store = store
        self._weights = weights
        self._stop = stop
        self.halt = stop(None)

    def look(self) -> None:
        """See whether it is enough although no trial has finished."""
        self.halt = self._stop(None) or self.halt

    def take(self, trial: Trial, observers: Sequence[Observer]) -> list[Trial]:
        """Finish what a result has ended; if it is not its own trial, that has come a stage on."""
        trials = self.finish(self._feeder.settle(trial))
        if trial.evaluation is not None and all(ended.id != trial.id for ended in trials):
            for observer in observers:
                observer.reached(trial)
        return trials

    def finish(self, trials: Iterable[Trial]) -> list[Trial]:
        """All of them, in order."""
        done = []
        for trial in trials:
            self._store.finish(trial)
            self._teller.finished(trial)
            self._feeder.finished(trial)
            if self._weights is not None:
                self._weights.finished(trial, self._teller.untold)
            self.halt = self._stop(trial) or self.halt
            done.append(trial)
        return done


@dataclass(frozen=True, slots=True)
class _Proposer:
    """What is proposed, and with what it must agree; see ``search``."""

    strategy: Strategy
    seed: int
    limits: Limits | None
    tried: Tried | None
    screen: Screen | None
    first: Sequence[Architecture]

    def prepared(self) -> Iterator[Architecture]:
        """What is proposed before the strategy is asked for anything.

        Unless repeats are allowed, what is among the first is not proposed twice.
        """
        yield from self.first
        known = () if self.tried is None else self.first
        if isinstance(self.strategy, Prepared):
            more = isinstance(self.strategy, Breeder)
            own = (one for one in self.strategy.initial() if one not in known)
            yield from keep_within(own, self.limits, more_to_come=more)
        elif self.screen is not None:
            yield from (one for one in self.screen.first if one not in known)

    def ask(self, ids: Sequence[int]) -> Answers:
        """What the strategy proposes for these ids."""
        return ask_within(self.strategy, self.seed, ids, self.limits, self.tried, self.screen)


class _Feeder:
    """Gives free workers what to evaluate.

    First trials that go on to another stage, then what is proposed already, then what it asks for.
    """

    def __init__(
        self,
        proposer: _Proposer,
        executor: Executor,
        store: TrialStore,
        max_trials: int,
        staging: Staging | None,
        reuse: Reuse | None,
        weights: ParentWeights | None,
    ) -> None:
        self.ended_by = ""  # why the strategy has proposed no more
        self._proposer = proposer
        self._executor = executor
        self._store = store
        self._max_trials = max_trials
        self._staging = staging
        self._reuse = reuse
        self._weights = weights
        if not store.count():
            prepared = proposer.prepared()
            store.propose(self._proposal(i, Child(arch), 0) for i, arch in enumerate(prepared))
        if proposer.tried is not None:
            proposer.tried.recover(store.trials(curves=False))
        self._proposed = store.count()
        self._stored = 0  # from here on, stored proposals are still to be queued
        self._queue: deque[Proposal] = deque()
        self._waiting: dict[int, list[Proposal]] = {}  # for the result of the trial of this id

    def feed(self, told: int) -> list[Trial]:
        """Keep all workers busy, as far as there is something to evaluate.

        Returns:
            Trials whose result is known without evaluating them, if some came up; then there may
            be more.
        """
        while len(self._executor.running()) < self._executor.workers:
            if self._staging is not None and (going_on := self._staging.next()) is not None:
                if ended := self._submit(*going_on):
                    return ended
                continue
            if not self._queue and not self._refill(told):
                return []
            proposal = self._queue.popleft()
            twin = self._reuse.find(proposal) if self._reuse is not None else None
            if twin is None:
                stage = self._staging.first(proposal) if self._staging is not None else None
                if ended := self._submit(proposal, stage):
                    return ended
            elif twin.id == proposal.id:
                return [twin]
            else:
                self._waiting.setdefault(twin.id, []).append(proposal)
        return []

    def _refill(self, told: int) -> bool:
        """Queue some of what is stored or, after that, what is proposed now, if there is any."""
        end = min(self._proposed, self._max_trials)
        while not self._queue and self._stored < end:
            found = self._store.proposed(self._stored, _AT_A_TIME)
            self._stored = found[-1].id + 1 if found else end
            self._queue.extend(p for p in found if p.id < self._max_trials)
        if not self._queue and (fresh := self._ask(told)):
            self._store.propose(fresh)
            if self._weights is not None:
                self._weights.proposed(fresh)
            self._queue.extend(fresh)
            self._proposed += len(fresh)
            self._stored = self._proposed
        return bool(self._queue)

    def _submit(self, proposal: Proposal, stage: Stage | None) -> list[Trial]:
        """Start evaluating; what that has ended, if there is nothing to inherit."""
        self._store.start(proposal.id)
        if self._weights is not None:
            try:
                stage = self._weights.begin(proposal, stage)
            except TrialFailure as failure:
                failed = TrialState.FAILED
                trial = Trial(proposal.id, proposal.architecture, failed, reason=str(failure))
                return list(self.settle(trial))
        self._executor.submit(proposal, stage)
        return []

    def settle(self, trial: Trial, *, cut: bool = False) -> Iterator[Trial]:
        """What a result has ended: the trial itself, or what the fidelity rule says."""
        if self._weights is not None:
            trial = self._weights.keep(trial)
        if self._staging is None:
            yield trial
            return
        self._staging.settle(trial, cut=cut)
        yield from self.ended()

    def ended(self) -> Iterator[Trial]:
        """Trials that the fidelity rule has ended."""
        while self._staging is not None and (trial := self._staging.ended()) is not None:
            yield trial

    def give_up(self) -> Iterator[Trial]:
        """End the paused trials, since nothing else is left to do."""
        if self._staging is not None:
            self._staging.give_up()
        yield from self.ended()

    def finished(self, trial: Trial) -> None:
        """Take up the proposals that waited for this result."""
        if self._proposer.tried is not None:
            self._proposer.tried.finish(trial.id)
        self._queue.extendleft(reversed(self._waiting.pop(trial.id, [])))

    def _proposal(self, trial_id: int, child: Child[Any], told: int) -> Proposal:
        key = self._reuse.key(child.architecture, child.parent) if self._reuse is not None else ""
        return Proposal(trial_id, child.architecture, told, key, child.parent)

    def _ask(self, told: int) -> list[Proposal]:
        """The next proposals; none before the strategy is told more, or ever.

        A batch strategy is asked for the rest of its batch; the last batch ends at
        ``max_trials``, and a later start with more trials asks for what is missing of it from the
        same policy. Any other is not asked while many of its proposals wait for results, or one
        that has only a few to make would be asked for all of them before it is told.
        """
        first, size = self._proposed, self._proposer.strategy.batch_size
        end = min(first + 1, self._max_trials)
        if size is not None:
            batch_start = first - first % size
            if told < batch_start:
                return []
            end = min(batch_start + size, self._max_trials)
        elif sum(map(len, self._waiting.values())) >= _MOST_WAITING:
            return []
        ids = range(first, end)
        answers = self._proposer.ask(ids)
        self.ended_by = answers.ended
        # a strategy may have less to propose than it was asked for
        found = zip(ids, answers.children, strict=False)
        return [self._proposal(i, child, told) for i, child in found]
