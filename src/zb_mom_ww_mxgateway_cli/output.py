"""Everything that is printed: data to standard output, errors and progress to standard error."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias, TypeVar, get_args

import click

from .references import without_keys

if TYPE_CHECKING:
    from rich.console import Console

Form: TypeAlias = Literal["table", "json", "jsonl", "csv"]
TimeForm: TypeAlias = Literal["relative", "iso", "raw"]
Row: TypeAlias = Mapping[str, Any]
#: Takes the next row of a stream: its data, and what people are shown of it.
Write: TypeAlias = Callable[[Row, str], None]

_T = TypeVar("_T")

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
_NANOS: Final = 10**9
_in_batch: Final = ContextVar("_in_batch", default=False)


class Moment(Protocol):
    """A point in time, such as the contract's Timestamp."""

    def to_nanoseconds(self) -> int:
        """Nanoseconds since 1970 in UTC."""
        ...

    def to_json(self) -> str:
        """ISO 8601 in UTC, in quotes."""
        ...


@dataclass(frozen=True, slots=True)
class Output:
    """How results are printed.

    ``table`` is for people, ``json`` one line for the whole result with sorted keys, ``jsonl`` one
    such line for each row, ``csv`` a header and a line for each row.
    """

    form: Form
    times: TimeForm = "iso"

    @property
    def is_table(self) -> bool:
        """Whether people read it."""
        return self.form == "table"

    def record(
        self, data: Row, shown: Row | None = None, *, columns: Sequence[str] | None = None
    ) -> None:
        """Print a single result; ``shown`` is what people are shown of it.

        ``columns`` are those of CSV; without them they are what ``data`` has.
        """
        if self.form == "csv":
            self.rows([data], columns=tuple(data) if columns is None else columns)
        elif self.is_table:
            for key, item in (data if shown is None else shown).items():
                if item not in ("", None):
                    click.echo(f"{key}: {cell(item)}")
        else:
            _json(data)

    def rows(
        self,
        data: Sequence[Row],
        shown: Sequence[Row] | None = None,
        *,
        columns: Sequence[str],
    ) -> None:
        """Print a result that is a list; ``shown`` is what people are shown of it.

        ``columns`` are those of CSV, the same whatever the list has.
        """
        if self.form == "json":
            _json(data)
        elif self.form == "jsonl":
            for row in data:
                _json(row)
        elif self.form == "csv":
            _csv(columns, [_header(columns), *data])
        else:
            table(data if shown is None else shown)

    @contextmanager
    def stream(self, name: str, columns: Sequence[str]) -> Generator[Write]:
        """Print rows as they come; gives what takes them, each with its text for people.

        JSON is one object with the array ``name``. It is printed at the end, also when an error or
        Ctrl-C is the end: what has come is not lost. Where nothing has, an error stands alone.
        """
        kept: list[Row] = []
        is_answered = True

        def write(data: Row, shown: str) -> None:
            if self.form == "json":
                kept.append(data)
            elif self.form == "jsonl":
                _json(data)
            elif self.form == "csv":
                _csv(columns, [data])
            else:
                # Not by click.echo, which goes past what draws a count below the rows.
                sys.stdout.write(f"{printable(shown)}\n")
            sys.stdout.flush()

        if self.form == "csv":
            _csv(columns, [_header(columns)])
        try:
            yield write
        except Exception:
            is_answered = bool(kept)
            raise
        finally:
            if self.form == "json" and is_answered:
                _json({name: kept})

    def time(self, moment: Moment | None) -> str | int | None:
        """A point in time as ``--time-format`` has it; ``raw`` is nanoseconds since 1970."""
        if moment is None:
            return None
        if self.times == "raw":
            return moment.to_nanoseconds()
        if self.times == "relative":
            now = datetime.now(timezone.utc).timestamp()
            return ago(now - moment.to_nanoseconds() / _NANOS)
        return moment.to_json().strip('"')


def ago(seconds: float) -> str:
    """How long something has been, in its greatest unit: ``3 min ago``."""
    size = abs(seconds)
    unit, length = next((unit for unit in _UNITS if size >= unit[1]), _UNITS[-1])
    number = f"{int(size / length)} {unit}" if size >= 1 else "less than 1 s"
    return f"in {number}" if seconds < 0 else f"{number} ago"


def _json(value: Any) -> None:
    # ASCII alone: pipes on Windows seldom carry more.
    click.echo(json.dumps(value, sort_keys=True))


def _header(columns: Sequence[str]) -> Row:
    return dict(zip(columns, columns, strict=True))


def _csv(columns: Sequence[str], rows: Sequence[Row]) -> None:
    # In a file a text is what it is. A terminal would obey it, and who drives a batch could take
    # a line of it for one of the batch's own.
    shown = cell if _in_batch.get() or sys.stdout.isatty() else _plain
    writer = csv.writer(sys.stdout, lineterminator="\n")
    for row in rows:
        writer.writerow(["" if row.get(c) is None else shown(row[c]) for c in columns])


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _columns(rows: Sequence[Row]) -> list[str]:
    """The columns in which any row has something, in the order in which they first come."""
    return list(
        dict.fromkeys(key for row in rows for key, item in row.items() if item not in ("", None))
    )


def table(rows: Sequence[Row]) -> None:
    """Print rows under the columns in which any of them has something."""
    columns = _columns(rows)
    cells = [[cell(row.get(column)) for column in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    for line in [columns, *cells] if rows else []:
        click.echo("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip())


def cell(value: Any) -> str:
    """A value as people read it, on one line and without anything that moves the cursor."""
    return "" if value is None else printable(_plain(value))


def printable(text: str) -> str:
    """``text`` with escapes for what cannot be seen: a plant's texts may hold anything."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def progress(text: str) -> None:
    """Say something that is not data, on one line and without a key that is in it by mistake."""
    click.echo(printable(without_keys(text)), err=True)


def console() -> Console:
    """Standard output for live views and trees; NO_COLOR is heeded, and there is none on a pipe.

    Texts are printed as they are: no markup, no emoji names, no colors for numbers.
    """
    from rich.console import Console

    return Console(markup=False, emoji=False, highlight=False)


@contextmanager
def counting(what: str) -> Generator[Callable[[int, int | None], None]]:
    """A count on standard error, done and in total; none where that is no terminal."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    # Data that is printed meanwhile stays on standard output. Where that is a terminal too, rich
    # prints it above the count.
    console, above = Console(stderr=True), sys.stdout.isatty()
    with Progress(*columns, console=console, transient=True, redirect_stdout=above) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def batched() -> Generator[None]:
    """Print for who drives a batch: results as JSON unless asked otherwise, errors among them."""
    token = _in_batch.set(True)
    try:
        yield
    finally:
        _in_batch.reset(token)


def end_of_line(mark: str) -> None:
    """Print the end of what a line of a batch has printed."""
    click.echo(mark)


def fail(text: str, kind: str, code: int, *, as_json: bool, hint: str | None = None) -> int:
    """Print what went wrong as a line or as a JSON object, to standard error; returns ``code``.

    In a batch it goes to standard output, with the type "error" whatever ``kind`` is.
    """
    line = printable(" ".join(text.split()))
    if _in_batch.get():
        _json({"error": line, "exitCode": code, "type": "error"})
        return code
    if as_json:
        said = [json.dumps({"error": line, "exitCode": code, "type": kind}, sort_keys=True)]
    else:
        said = [f"mxgw-py: {line}", *([f"try: {hint}"] if hint else ())]
    with suppress(OSError):  # nobody is there to be told, and the code still says it
        click.echo("\n".join(said), err=True)
    return code


def _form(explicit: Form | None, as_json: bool) -> Form:
    if explicit and as_json and explicit != "json":
        raise click.UsageError(f"--json is --output json; it excludes --output {explicit}")
    if explicit or as_json:
        return explicit or "json"
    if _in_batch.get():
        return "json"
    return "table" if sys.stdout.isatty() else "jsonl"


_OPTIONS: Final = (
    click.option(
        "--output",
        "form",
        type=click.Choice(get_args(Form)),
        help="How to print.  [default: table on a terminal, else jsonl]",
    ),
    click.option("--json", "as_json", is_flag=True, help="The same as --output json."),
    click.option(
        "--time-format",
        type=click.Choice(get_args(TimeForm)),
        default="iso",
        show_default=True,
        help="How to print times where they are not part of a reply: ISO 8601 in UTC, relative to "
        "now, or nanoseconds since 1970.",
    ),
)


def with_output(command: Callable[..., _T]) -> Callable[..., _T]:
    """Add the output options to a command; it gets an ``Output`` as ``output``."""

    @wraps(command)
    def run(
        *args: Any, form: Form | None, as_json: bool, time_format: TimeForm, **arguments: Any
    ) -> _T:
        return command(*args, output=Output(_form(form, as_json), time_format), **arguments)

    return with_options(run, _OPTIONS)


def with_options(
    command: Callable[..., _T], options: Sequence[Callable[[Any], Any]]
) -> Callable[..., _T]:
    """``command`` with options that help lists in this order."""
    for option in reversed(options):
        command = option(command)
    return command


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether errors are to be JSON too, told from arguments that may not even be right."""
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    return any(
        argument in ("--json", "--output=json", "--output=jsonl")
        or (argument == "--output" and following in ("json", "jsonl"))
        for argument, following in pairs
    )
