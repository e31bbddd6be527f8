"""Who follows alarms: what each wants and may see, the source of alarms, and the feed's readers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from types import TracebackType
from typing import Final, TypeAlias

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    ActiveAlarmSnapshot,
    AlarmConditionState,
    AlarmFeedMessage,
    AlarmProviderMode,
    AlarmProviderStatus,
    AlarmTransitionKind,
    OnAlarmTransitionEvent,
)

from .auth.access import EVERYTHING, Access, Tree
from .clock import Clock

#: Messages that wait for a reader of the feed, besides the snapshot that it began with.
QUEUE_LIMIT: Final = 10_000

#: What those who follow alarms are told.
News: TypeAlias = OnAlarmTransitionEvent | AlarmProviderStatus

#: Transitions by which an alarm becomes active.
RAISES: Final = frozenset({AlarmTransitionKind.RAISE, AlarmTransitionKind.RETRIGGER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which alarms somebody wants and may see, and by which source; ``of`` makes one.

    Args:
        prefixes: How their full references start, casefolded.
        access: The subtrees that the key may read.
        forced_mode: The source that reports them, whatever the gateway's is; UNSPECIFIED goes with
            the gateway.
        watch_list: Casefolded full references of the only ones that are told of while the source
            is SUBTAG; empty is all of them (D).
    """

    prefixes: tuple[str, ...]
    access: Access
    forced_mode: AlarmProviderMode
    watch_list: frozenset[str]

    @classmethod
    def of(
        cls,
        *prefixes: str,
        access: Access = EVERYTHING,
        forced_mode: AlarmProviderMode = AlarmProviderMode.UNSPECIFIED,
        watch_list: Iterable[str] = (),
    ) -> Selection:
        """The same from prefixes and references in any case (D)."""
        return cls(
            prefixes=tuple(prefix.casefold() for prefix in prefixes),
            access=access,
            forced_mode=forced_mode,
            watch_list=frozenset(reference.casefold() for reference in watch_list),
        )

    def wants(self, transition: OnAlarmTransitionEvent, mode: AlarmProviderMode) -> bool:
        """Whether an alarm is asked for, while the gateway's source is ``mode``."""
        reference = transition.alarm_full_reference.casefold()
        if not reference.startswith(self.prefixes):
            return False
        mode = mode if self.forced_mode is AlarmProviderMode.UNSPECIFIED else self.forced_mode
        listed = not self.watch_list or reference in self.watch_list
        return listed or mode is not AlarmProviderMode.SUBTAG

    def may_see(self, transition: OnAlarmTransitionEvent, tree: Tree) -> bool:
        """Whether the key may read the object of an alarm."""
        return self.access.may_read(tree, transition.source_object_reference)


class Subscription:
    """Tells of the alarms of a selection, and of their source, until it is stopped.

    A key that is narrowed hears of an alarm whose object it may read now, and of the end of an
    alarm that it knew as active: the object may be gone by then.
    """

    def __init__(
        self,
        followers: Followers,
        selection: Selection,
        known: Iterable[OnAlarmTransitionEvent],
        tell: Callable[[News], None],
    ) -> None:
        self._followers = followers
        self._selection = selection
        self._is_narrowed = selection.access.read is not None
        self._known = {last.alarm_full_reference for last in known if self._is_narrowed}
        self._tell = tell

    def hear(self, news: News) -> None:
        """Pass on what is wanted and may be seen."""
        forced = self._selection.forced_mode
        if isinstance(news, AlarmProviderStatus):
            if forced is AlarmProviderMode.UNSPECIFIED:
                self._tell(news)
        elif self._selection.wants(news, self._followers.provider.mode) and self._may_hear(news):
            if forced not in (AlarmProviderMode.UNSPECIFIED, news.source_provider):
                news = replace(news, source_provider=forced, degraded=_is_degraded(forced))
            self._tell(news)

    def stop(self) -> None:
        """Tell no more."""
        self._followers.drop(self)

    def _may_hear(self, transition: OnAlarmTransitionEvent) -> bool:
        if not self._is_narrowed:
            return True
        reference, kind = transition.alarm_full_reference, transition.transition_kind
        if kind is AlarmTransitionKind.CLEAR and reference in self._known:
            self._known.discard(reference)
            return True
        if not self._selection.may_see(transition, self._followers.tree):
            return False
        if kind in RAISES:
            self._known.add(reference)
        return True


class Followers:
    """Everybody who follows alarms, and the source that alarms come from.

    Args:
        tree: What narrowed keys are held against.
        clock: Tells when the source changed.
    """

    def __init__(self, tree: Tree, clock: Clock) -> None:
        self.tree = tree
        self._clock = clock
        self._provider = AlarmProviderStatus(mode=AlarmProviderMode.ALARMMGR, since=clock.now())
        self._subscriptions: dict[Subscription, None] = {}
        self._feeds: set[Feed] = set()
        self._ended: GRPCError | None = None

    def __len__(self) -> int:
        return len(self._subscriptions)

    @property
    def provider(self) -> AlarmProviderStatus:
        """Where alarms come from now."""
        return self._provider

    def switch_provider(self, mode: AlarmProviderMode, reason: str) -> None:
        """Let alarms come from another source; without a change nobody is told."""
        if mode is not self._provider.mode:
            self._provider = AlarmProviderStatus(
                mode=mode, degraded=_is_degraded(mode), reason=reason, since=self._clock.now()
            )
            self._tell(self._provider)

    def tell(self, transition: OnAlarmTransitionEvent) -> None:
        """Tell all who want it, as reported by the present source."""
        transition.degraded = self._provider.degraded
        transition.source_provider = self._provider.mode
        self._tell(transition)

    def _tell(self, news: News) -> None:
        for subscription in list(self._subscriptions):
            subscription.hear(news)

    def selected(
        self, selection: Selection, lasts: Iterable[OnAlarmTransitionEvent]
    ) -> list[OnAlarmTransitionEvent]:
        """Those of the last transitions of alarms that are wanted and may be seen."""
        mode = self._provider.mode
        return [
            last
            for last in lasts
            if selection.wants(last, mode) and selection.may_see(last, self.tree)
        ]

    def subscribe(
        self,
        selection: Selection,
        known: Iterable[OnAlarmTransitionEvent],
        tell: Callable[[News], None],
    ) -> Subscription:
        """Tell of every change from now on, until the subscription stops.

        Args:
            selection: What is told.
            known: Of those that are active now and selected, the last transitions.
            tell: Called with each piece of news.
        """
        made = Subscription(self, selection, known, tell)
        self._subscriptions[made] = None
        return made

    def drop(self, subscription: Subscription) -> None:
        """Forget a subscription."""
        self._subscriptions.pop(subscription, None)

    def follow(self, selection: Selection, active: Iterable[OnAlarmTransitionEvent]) -> Feed:
        """A new reader: what of ``active``, the last transitions, is selected, and each change."""
        if self._ended is not None:
            raise self._ended
        feed = Feed(self, selection, self.selected(selection, active))
        self._feeds.add(feed)
        return feed

    def leave(self, feed: Feed) -> None:
        """Forget a reader."""
        self._feeds.discard(feed)

    def end(self, failure: GRPCError) -> None:
        """End every feed with ``failure``, and take no new ones."""
        self._ended = failure
        for feed in self._feeds:
            feed.end(failure)


class Feed:
    """One reader of the feed, with a queue of its own; a context manager that leaves."""

    def __init__(
        self,
        followers: Followers,
        selection: Selection,
        opening: Sequence[OnAlarmTransitionEvent],
    ) -> None:
        self._followers = followers
        self._subscription = followers.subscribe(selection, opening, self._hear)
        self._queue = deque(
            chain(
                [AlarmFeedMessage(provider_status=followers.provider)],
                (AlarmFeedMessage(active_alarm=snapshot(last)) for last in opening),
                [AlarmFeedMessage(snapshot_complete=True)],
            )
        )
        self._limit = len(self._queue) + QUEUE_LIMIT
        self._failure: GRPCError | None = None
        self._wake = asyncio.Event()
        self._waiting = False

    def __enter__(self) -> Feed:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._subscription.stop()
        self._followers.leave(self)

    def _hear(self, news: News) -> None:
        if isinstance(news, AlarmProviderStatus):
            self._queue.append(AlarmFeedMessage(provider_status=news))
        else:
            self._queue.append(AlarmFeedMessage(transition=news))
        self._wake.set()
        # A reader that waits for news is not slow: it just had no turn since they came.
        if len(self._queue) > self._limit and not self._waiting:
            self.end(
                GRPCError(
                    Status.RESOURCE_EXHAUSTED,
                    f"AlarmQueueOverflow: more than {QUEUE_LIMIT} changes of alarms wait for this "
                    "reader; read faster, and begin again with a new snapshot",
                )
            )

    def end(self, failure: GRPCError) -> None:
        """Drop what is queued and end with ``failure``; nothing is dropped from the middle."""
        self._failure = failure
        self._queue.clear()
        self._subscription.stop()
        self._wake.set()

    async def next(self) -> AlarmFeedMessage:
        """The next message, as soon as there is one.

        Raises:
            GRPCError: The reader was too slow, or the gateway shuts down.
        """
        self._waiting = True
        try:
            while not self._queue:
                if self._failure is not None:
                    raise self._failure
                self._wake.clear()
                await self._wake.wait()
            return self._queue.popleft()
        finally:
            self._waiting = False


def snapshot(last: OnAlarmTransitionEvent) -> ActiveAlarmSnapshot:
    """An active alarm as its last transition left it, reported as that was."""
    acked = last.transition_kind is AlarmTransitionKind.ACKNOWLEDGE
    return ActiveAlarmSnapshot(
        alarm_full_reference=last.alarm_full_reference,
        source_object_reference=last.source_object_reference,
        alarm_type_name=last.alarm_type_name,
        state=AlarmConditionState.ACTIVE_ACKED if acked else AlarmConditionState.ACTIVE,
        severity=last.severity,
        original_raise_timestamp=last.original_raise_timestamp,
        last_transition_timestamp=last.transition_timestamp,
        operator_user=last.operator_user,
        operator_comment=last.operator_comment,
        category=last.category,
        description=last.description,
        current_value=last.current_value,
        limit_value=last.limit_value,
        degraded=last.degraded,
        source_provider=last.source_provider,
    )


def _is_degraded(mode: AlarmProviderMode) -> bool:
    return mode is not AlarmProviderMode.ALARMMGR
