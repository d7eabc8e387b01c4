"""What is read strictly: the base of its formats, and how what does not hold to one is told."""

from __future__ import annotations

import json

from pydantic import BaseModel, ConfigDict, ValidationError


class Strict(BaseModel):
    """A frozen value of a format in which nothing else may stand."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def faults_of(error: ValidationError, place: str) -> list[str]:
    """Each fault as ``place: field: what is allowed; received what``; one of the whole has no field."""
    faults = []
    for one in error.errors():
        field = ".".join(map(str, one["loc"]))
        message = one["msg"].removeprefix("Value error, ")
        received = json.dumps(one["input"], ensure_ascii=False, default=str)[:120]
        faults.append(f"{': '.join(filter(None, (place, field, message)))}; received {received}")
    return faults
