"""The local language model, wired: a door that opens at once, and a server behind it that starts when somebody knocks."""

import asyncio

from agents.errors import AgentError
from agents.llm import local, weights
from agents.llm.door import Door
from handlers.count import Count
from smolit.folder import llm_key
from smolit.process import log
from smolit.process.hand import HandProcess
from smolit.process.llm import Doorplate, take_down, write_plate
from smolit.process.place import Place
from smolit.process.runnable import Runnable


def build(place: Place) -> Runnable:
    """Return the process."""
    settings = place.settings

    async def body(stopped: asyncio.Event, count: Count) -> None:
        try:
            file = weights.find()
        except AgentError as error:  # the rest of the house runs without it
            log.bind().warning(str(error))
            write_plate(settings.data_dir, Doorplate(0, str(error)))
            await stopped.wait()
            return

        async def behind() -> int:
            try:
                await asyncio.to_thread(weights.check, file)
            except AgentError as error:
                log.bind().warning(str(error))
                write_plate(settings.data_dir, Doorplate(0, str(error)))
                raise
            key = llm_key(settings).get_secret_value()
            served = await asyncio.to_thread(local.serve, file, key, settings.local_llm_threads)
            kept.append(served)
            count("llm.loaded", 1)
            log.bind().info(f"{weights.MODEL} is loaded")
            return served.port

        kept: list[local.Served] = []
        door = Door(behind, count)
        _, _, port = settings.local_llm_at.rpartition(":")
        write_plate(settings.data_dir, Doorplate(await door.open(int(port) if port else None)))
        try:
            await stopped.wait()
        finally:
            take_down(settings.data_dir)
            await door.close()

    return HandProcess("llm", body)
