"""Apprise, which speaks to a hundred kinds of destination; the only importer of it."""

import logging
import warnings
from dataclasses import dataclass
from enum import StrEnum


class Tone(StrEnum):
    """How a destination should show a message; the words are Apprise's."""

    GOOD = "success"
    WARNING = "warning"
    BAD = "failure"


@dataclass(frozen=True, slots=True)
class Message:
    """What a person reads."""

    title: str
    body: str
    tone: Tone


def send(url: str, message: Message) -> str | None:
    """None once the destination accepted the message, else why it did not.

    Args:
        url: an Apprise URL, such as `json://127.0.0.1:9000/hook` or `slack://…`. It may hold
            secrets: no text that comes back holds it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of its hundred plugins
        import apprise  # takes 0.3 s with its plugins

        scheme = url.partition(":")[0][:20]
        destination = apprise.Apprise.instantiate(url, suppress_exceptions=True)
        if destination is None:
            return f"a URL that begins with {scheme!r} is none that Apprise understands"
        herald = apprise.Apprise()
        herald.add(destination)
        with apprise.LogCapture(  # type: ignore[no-untyped-call]
            level=logging.WARNING, fmt="%(message)s"
        ) as said:
            accepted = herald.notify(
                title=message.title,
                body=message.body,
                notify_type=apprise.NotifyType(message.tone.value),
                body_format=apprise.NotifyFormat.TEXT,
            )
        if accepted:
            return None
        return " ".join(said.getvalue().replace(url, f"{scheme}://…").split()) or "refused"
