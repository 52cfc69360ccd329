"""Where the data comes from, in the fields of published standards, as far as it is known.

*Data*: the 22 fields of the Data Provenance Standards (Data & Trust Alliance, version 1.0.0),
grouped as there into source, provenance and use. *Model*: the general information of the European
Commission's template for the public summary of training content (2025), section 1. What a study
knows is filled in; the rest is what the policy states (``compensation.provenance``), and where
nobody stated anything the report says so instead of leaving the field out.

*Requirements*: which part of the report answers which control of ISO/IEC 42001 and of the NIST AI
Risk Management Framework. It is a help to find things, and no claim of conformity.
"""

from collections.abc import Mapping
from typing import Any

DATA_FIELDS: dict[str, dict[str, str]] = {
    "Source": {
        "standards_version": "Standards version used",
        "title": "Dataset title or name",
        "identifier": "Unique metadata identifier",
        "metadata_location": "Metadata location",
        "issuer": "Dataset issuer",
        "description": "Description of the dataset",
    },
    "Provenance": {
        "source_metadata": "Source metadata for the dataset",
        "source": "Source, if different from the issuer",
        "origin_geography": "Data origin geography",
        "issue_date": "Dataset issue date",
        "previous_issue_date": "Date of the previously issued version",
        "generation_dates": "Range of dates for data generation",
        "method": "Method",
        "format": "Data format",
    },
    "Use": {
        "confidentiality": "Confidentiality classification",
        "consent_location": "Consent documentation location",
        "privacy_technologies": "Privacy enhancing technologies or tools applied",
        "processing_geography": "Data processing geography, included and excluded",
        "storage_geography": "Data storage geography, included and excluded",
        "licence": "License to use",
        "intended_use": "Intended data use",
        "proprietary": "Proprietary data presence",
    },
}
MODEL_FIELDS = {
    "provider": "Provider",
    "provider_contact": "Contact of the provider",
    "model_name": "Versioned model name",
    "model_dependencies": "Model dependencies",
    "model_date": "Date of placement on the Union market",
    "modalities": "Modalities of the training data",
    "size": "Size of the training data",
}
REQUIREMENTS = (
    ("ISO/IEC 42001 A.7.5, data provenance", "What was submitted; On which data; this section"),
    ("ISO/IEC 42001 A.3.3, reporting of concerns", "The payout policy: contests; the statements"),
    ("NIST AI RMF MEASURE 3.3, feedback and appeal", "The payout policy: contests; the statements"),
)
NAMES = frozenset(name for group in DATA_FIELDS.values() for name in group) | set(MODEL_FIELDS)


def provenance_lines(facts: Mapping[str, Any]) -> list[tuple[str, str, str | None]]:
    """Return (group, field, what is known) for each field of the data; None where nothing is."""
    stated, known = facts["settings"]["compensation"]["provenance"], _known_of_data(facts)
    return [
        (group, label, stated.get(name) or known.get(name))
        for group, fields in DATA_FIELDS.items()
        for name, label in fields.items()
    ]


def model_lines(facts: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    """Return (field, what is known) for each field of the model; None where nothing is."""
    stated, known = facts["settings"]["compensation"]["provenance"], _known_of_model(facts)
    return [(label, stated.get(name) or known.get(name)) for name, label in MODEL_FIELDS.items()]


def _known_of_data(facts: Mapping[str, Any]) -> dict[str, str]:
    settings = facts["settings"]
    pixels = settings["data"]["image_size"]
    licences = sorted({row["licence"] for row in facts["rows"] if row["licence"]})
    return {
        "standards_version": "1.0.0",
        "title": facts["dataset"],
        "identifier": f"sha256 {facts['dataset_digest']}",
        "format": f"images, {pixels} × {pixels} pixels, 8 bits a channel",  # noqa: RUF001
        "licence": "; ".join(licences),
        "intended_use": "training of a generative model, and valuing contributions to it",
    }


def _known_of_model(facts: Mapping[str, Any]) -> dict[str, str]:
    images = sum(row["images"] for row in facts["rows"])
    base = (facts["settings"]["diffusion"].get("base") or {}).get("source")
    policy = facts["settings"]["compensation"]
    return {
        "provider_contact": policy["contact"],
        "model_name": facts["models"].get("full", ""),
        "model_dependencies": base or "",
        "modalities": "images" + (" with text" if _has_text(facts) else ""),
        "size": f"{images:,} images of {len(facts['rows'])} contributors",
    }


def _has_text(facts: Mapping[str, Any]) -> bool:
    return bool(facts["settings"]["diffusion"]["condition"] == "prompt")
