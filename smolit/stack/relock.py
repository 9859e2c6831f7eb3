"""Write `kafka.lock` anew (`make lock`): resolve Kafka's jars with jgo and note the sha256 of each."""

import tempfile
from pathlib import Path

from jgo.maven import Dependency, MavenContext, PythonResolver

from smolit.stack.jar import LOCK, sha256

KAFKA = ("org.apache.kafka", "kafka_2.13", "4.4.0")
# Kafka's libraries log through slf4j 1.7 and bring log4j; this binds the two, as in Kafka's own distribution.
LOG_BINDING = ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.5")
_HEAD = "# Jars of the local Kafka: group:artifact:version sha256. Written by `make lock`.\n"


def resolve(context: MavenContext) -> list[tuple[str, str, str]]:
    """Return the coordinates of the broker, of all it needs at run time, and of its log binding."""
    group, artifact, version = KAFKA
    broker = Dependency(context.project(group, artifact).at_version(version).artifact())
    inputs, others = context.resolver.resolve([broker])
    return sorted({LOG_BINDING, *((jar.groupId, jar.artifactId, jar.version) for jar in inputs + others)})


def line(context: MavenContext, coordinates: tuple[str, str, str]) -> str:
    """Return the lock's line for one jar, downloading it."""
    group, artifact, version = coordinates
    path = context.project(group, artifact).at_version(version).artifact().resolve()
    return f"{':'.join(coordinates)} {sha256(path)}\n"


def main() -> None:
    """Replace the lock beside this module."""
    with tempfile.TemporaryDirectory() as folder:
        context = MavenContext(PythonResolver(), repo_cache=Path(folder), local_repos=[], timeout=60)
        LOCK.write_text(_HEAD + "".join(line(context, jar) for jar in resolve(context)))


if __name__ == "__main__":
    main()
