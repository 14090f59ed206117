"""The text of any exception, safe to write and to show."""


def one_line(error: BaseException) -> str:
    """Return an error's kind and message in one line, see `message_of`."""
    message = message_of(error)
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def message_of(error: BaseException) -> str:
    """Return an error's message in one line that can be written to any file and shown in any terminal."""
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 (it is the error's own code)
        message = "(no readable message)"
    return " ".join(message.split()).encode("utf-8", "backslashreplace").decode("utf-8")
