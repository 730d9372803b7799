"""Errors a user can act on.

* StudioError
  + ConfigError        a value is out of range, two values contradict each other, or one is missing
  + ModelError         the base model cannot be used
    - ModelNotFound      no such model
    - ModelGated         a licence must be accepted, or a token is missing
    - ModelUnreachable   it cannot be looked up right now; nothing is known against it
  + DatasetError       the data cannot be read or has the wrong shape
    - DatasetUnreachable it cannot be looked up right now; nothing is known against it
  + DoesNotFit         the run needs more memory than the card has
  + HubRefused         the Hub does not take the upload: the token, the name or the rights
  + HubUnreachable     it does not answer right now; what was to be sent is kept
  + ComputeError       a provider refused, lost or cannot take the job
  + RunFailed          a training ended badly, or its result is not what a success looks like
  + MissingDependency  an optional package is not installed

Anything else that escapes is a bug and is shown as one.
"""

INFRASTRUCTURE, PREEMPTED = 33, 34  # exit codes of the trainer: the machine's fault (try again), machine taken away


class StudioError(Exception):
    """`message` says what is wrong, with the value; `hint` says what to do. Both are shown verbatim."""

    def __init__(self, message: str, hint: str = "", fields: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.fields = fields  # names of the configuration fields this is about

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class ConfigError(StudioError): ...


class ModelError(StudioError): ...


class ModelNotFound(ModelError): ...


class ModelGated(ModelError): ...


class ModelUnreachable(ModelError): ...


class DatasetError(StudioError): ...


class DatasetUnreachable(DatasetError): ...


class DoesNotFit(StudioError): ...


class HubRefused(StudioError): ...


class HubUnreachable(StudioError): ...


class ComputeError(StudioError): ...


class RunFailed(StudioError):
    """`symptom` is one of the names in assistant/knowledge/symptoms.json."""

    def __init__(self, message: str, hint: str = "", symptom: str = "other") -> None:
        super().__init__(message, hint)
        self.symptom = symptom


class MissingDependency(StudioError): ...
