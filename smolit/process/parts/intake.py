"""Intake, wired."""

from events.task import RewardTerms
from events.vouched import OPERATOR
from learning.encoders import context_map, open_encoder
from learning.language import LanguageTagger
from learning.reward import BALANCE
from smolit.process.brain import BrainProcess, brain
from smolit.process.chooser import chooser
from smolit.process.keys import keyring
from smolit.process.place import Place
from smolit.process.runnable import Runnable
from smolit.settings import Settings, of_tenant
from streams.admission import Rules
from streams.intake import Intake
from streams.reading import CommentReader, TextReader


def build(place: Place) -> Runnable:
    """Return the process."""
    made = processor(place)
    return BrainProcess(made, brain(place, made))


def processor(place: Place) -> Intake:
    """Return what Faust runs."""
    settings, ports = place.settings, place.ports
    return Intake(
        names=place.names,
        tenants=settings.tenants,
        rules=_rules(place),
        reader=ports.texts(lambda: text_reader(settings)),
        feel=CommentReader().feel,
        inline_limit_bytes=settings.inline_limit_bytes,
        file_limit_bytes=settings.file_limit_bytes,
        clock=ports.clock,
        connect=place.connect("smolit-intake"),
        publisher=ports.publisher(place.endpoints.kafka, "intake"),
        chooser=chooser(place, "intake"),
        fold=ports.fold,
        operator=lambda tenant: keyring(settings).key(tenant, OPERATOR).public,
    )


def text_reader(settings: Settings) -> TextReader:
    """Return what reads texts, with the encoder that the settings name.

    Raises:
        EncoderError: it was not built, or its files are not the ones that were built.
    """
    return TextReader(open_encoder(settings.encoder, settings.cache / "encoder"), LanguageTagger.load())


def _rules(place: Place) -> Rules:
    settings = place.settings
    return Rules(
        task_deadline_s=settings.task_deadline_s,
        max_attempts=settings.max_attempts,
        blob_threshold_bytes=settings.blob_threshold_bytes,
        reply_topics=settings.reply_topics,
        admins=settings.admins,
        reward={tenant: reward_terms(settings, tenant) for tenant in settings.tenants},
        context_map=context_map(settings.encoder).digest,
    )


def reward_terms(settings: Settings, tenant: str) -> RewardTerms:
    """Return how rewards of a tenant's tasks are made where a task says nothing else."""
    return RewardTerms(
        rule=BALANCE,
        cost_weight=of_tenant(settings.costs, tenant),
        latency_weight=of_tenant(settings.latency, tenant),
        cost_half_microusd=round(of_tenant(settings.cost_half_microusd, tenant)),
        latency_half_us=round(of_tenant(settings.latency_half_us, tenant)),
    )
