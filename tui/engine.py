"""The thread on which a run lives: its own asyncio loop, apart from the one that draws.

Whatever a screen asks of a run happens there. What has been started there goes on when the screen
that asked is closed: only `stop` ends the loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class Engine:
    """An asyncio loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._turn, name="blueprime-run", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine on the loop, from any thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def call(self, work: Callable[[], Awaitable[T]]) -> T:
        """Await what `work` makes, run on the engine's loop.

        Cancelling the caller leaves the work alone: an effect is never cut in half by a screen
        that closes.
        """

        async def made() -> T:
            return await work()

        return await asyncio.shield(asyncio.wrap_future(self.submit(made())))

    async def read(self, look: Callable[[], T]) -> T:
        """Return what a quick synchronous look returns, made on the engine's thread."""

        async def made() -> T:
            return look()

        return await asyncio.wrap_future(self.submit(made()))

    def post(self, act: Callable[[], object]) -> None:
        """Call something on the engine's thread without waiting for it."""
        self._loop.call_soon_threadsafe(act)

    def stop(self, limit_s: float = 5.0) -> bool:
        """End the loop, cancelling what is left on it; return whether the thread ended in time."""
        if not self._thread.is_alive():
            return True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(limit_s)
        return not self._thread.is_alive()

    def _turn(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()
