"""The bill of materials of one Debian package, in CycloneDX 1.6."""

import json
from datetime import UTC, datetime
from typing import Any

import uuid_utils

from release import source
from release.licences import licence
from release.wheels import Target, Wheel

# So that the serial number follows from what is in the bill.
NAMESPACE = uuid_utils.UUID("6f0e6a52-5f0b-5a86-9f4f-0c1f2a6b7d10")


def bill(wheels: list[Wheel], target: Target, top: list[str], epoch: int) -> str:
    """The bill as JSON, the same for the same wheels and time; `top` names what Robson asks for itself."""
    own = f"pkg:pypi/robson@{source.VERSION}"
    at = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    references = {wheel.name: f"pkg:pypi/{wheel.name}@{wheel.version}" for wheel in wheels}
    content = " ".join(sorted(f"{wheel.name}={wheel.sha256}" for wheel in wheels))
    document: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid_utils.uuid5(NAMESPACE, f'{own} {target.python} {content}')}",
        "version": 1,
        "metadata": {
            "timestamp": at,
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": "robson",
                "version": source.VERSION,
                "purl": own,
                "licenses": [{"expression": source.project()["license"]}],
            },
            "properties": [
                {"name": "robson:python", "value": target.python},
                {"name": "robson:machine", "value": target.machine},
            ],
        },
        "components": [_component(wheel, references[wheel.name]) for wheel in wheels],
        "dependencies": [
            {"ref": own, "dependsOn": sorted({references[name] for name in top if name in references})},
            *({"ref": references[w.name], "dependsOn": [references[n] for n in w.needs]} for w in wheels),
        ],
    }
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def _component(wheel: Wheel, reference: str) -> dict[str, Any]:
    said = licence(wheel.about)
    # Not an SPDX licence, so it may not stand in an expression.
    stated = {"license": {"name": "Public Domain"}} if said == "Public-Domain" else {"expression": said}
    return {
        "type": "library",
        "bom-ref": reference,
        "name": wheel.name,
        "version": wheel.version,
        "purl": reference,
        "licenses": [stated],
        "hashes": [{"alg": "SHA-256", "content": wheel.sha256}],
        "properties": [{"name": "robson:wheel", "value": wheel.path.name}],
    }
