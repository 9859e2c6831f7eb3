"""What the processes of a run note down once, while they start: what they read, where they publish, which thread encodes."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from bench.floor import Traffic
from bus.producer import Published
from bus.reader import PartitionReader, Place
from events.topics import Names, Topic
from events.wire import Outgoing
from smolit.process.ports import Ports
from smolit.process.told import ToldProcessor, ToldPublisher, ToldReader
from streams.admission import Reading
from streams.admitting import Reader
from streams.processor import Processor


class Note(Struct, frozen=True, omit_defaults=True):
    """One thing that a process did for the first time; `consumer` tells apart what it reads with."""

    process: str
    consumer: str = ""
    reads: tuple[str, ...] = ()
    publishes: str = ""
    thread: int = 0


class Notebook:
    """Where one process notes what it does, each thing once."""

    def __init__(self, folder: Path, process: str, instance: str) -> None:
        self._path, self._process = folder / f"{process}-{instance}.notes", process
        self._known: set[Note] = set()

    def reads(self, consumer: str, topics: Iterable[str]) -> None:
        """Note what a consumer reads."""
        self._add(Note(self._process, consumer=consumer, reads=tuple(sorted(set(topics)))))

    def publishes(self, topic: str) -> None:
        """Note a topic that is published to."""
        self._add(Note(self._process, publishes=topic))

    def reads_texts(self) -> None:
        """Note the thread that reads texts; agents' descriptions are read by the main one, which does all else, too."""
        if threading.current_thread() is not threading.main_thread():
            self._add(Note(self._process, thread=threading.get_native_id()))

    def _add(self, note: Note) -> None:
        if note not in self._known:
            self._known.add(note)
            with self._path.open("ab") as file:
                file.write(msgspec.json.encode(note) + b"\n")


class NotedReader(ToldReader):
    """A reader that notes which topics it was started on."""

    def __init__(self, kafka: str, client_id: str, book: Notebook) -> None:
        super().__init__(kafka, client_id)
        self._book, self._name = book, client_id

    async def start(self, positions: Mapping[Place, int], remembered: Mapping[str, str] | None = None) -> None:
        """Note, then start."""
        self._book.reads(self._name, (topic for topic, _ in positions))
        await super().start(positions, remembered)


class NotedPublisher(ToldPublisher):
    """A publisher that notes where it publishes."""

    def __init__(self, kafka: str, client_id: str, book: Notebook) -> None:
        super().__init__(kafka, client_id)
        self._book = book
        self._seen: set[str] = set()

    async def publish(self, records: Sequence[Outgoing]) -> list[Published]:
        """Note what is new, then publish."""
        for topic in {record.topic for record in records} - self._seen:
            self._seen.add(topic)
            self._book.publishes(topic)
        return await super().publish(records)


class NotedTexts:
    """A reader of texts that notes in which thread it reads."""

    def __init__(self, inner: Reader, book: Notebook) -> None:
        self._inner, self._book = inner, book

    def quick(self, text: str) -> bool:
        """Return what the reader says."""
        return self._inner.quick(text)

    def read(self, text: str) -> Reading:
        """Note, then read."""
        self._book.reads_texts()
        return self._inner.read(text)


def noted_ports(book: Notebook, recorded: Callable[[], Reader] | None) -> Ports:
    """Return the ports of `smolit run`, which note what they are used for; texts are looked up if they were recorded."""

    def processor(inner: Processor) -> Processor:
        book.reads("stream", inner.topics)
        return ToldProcessor(inner)

    def reader(kafka: str, client_id: str) -> PartitionReader:
        return NotedReader(kafka, client_id, book)

    def publisher(kafka: str, client_id: str) -> NotedPublisher:
        return NotedPublisher(kafka, client_id, book)

    def texts(opened: Callable[[], Reader]) -> Reader:
        return recorded() if recorded else NotedTexts(opened(), book)

    return Ports(publisher=publisher, reader=reader, processor=processor, texts=texts)


def read_notes(folder: Path) -> list[Note]:
    """Return all that was noted."""
    lines = [line for path in sorted(folder.glob("*.notes")) for line in path.read_bytes().splitlines()]
    return [msgspec.json.decode(line, type=Note) for line in lines]


def traffic_of(notes: Iterable[Note], names: Names, tenant: str, topics: Iterable[Topic]) -> Traffic:
    """Return who reads and publishes what, by the plain names of those topics."""
    plain = {names.of(topic): topic.entity for topic in topics} | {names.requests_of(tenant): "requests"}
    known = list(notes)
    read = tuple((note.process, tuple(plain[name] for name in note.reads if name in plain)) for note in known if note.reads)
    return Traffic(read, frozenset((one.process, plain[one.publishes]) for one in known if one.publishes in plain))
