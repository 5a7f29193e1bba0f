"""Ids that a request carries and that the API gives back, in the forms in which they come."""

from __future__ import annotations

from uuid import uuid4

__all__ = ["client_request_id_prefix", "generation_ids_to_try", "new_client_request_id"]


def new_client_request_id(tag: str) -> str:
    """A correlation id of the form that the API keeps: 1 to 128 characters of ``A-Z a-z 0-9 . _ : -``."""
    return f"{client_request_id_prefix(tag)}{uuid4().hex}"


def client_request_id_prefix(tag: str) -> str:
    """What all correlation ids of the job with this tag begin with."""
    return f"avatar-batch:{tag}:"


def generation_ids_to_try(inference_id: str, model: str) -> tuple[str, ...]:
    """The usage log's ``inference_id`` as retrieve may know it: as it stands, then with or without its suffix."""
    suffix = f":{model}"
    bare = inference_id.removesuffix(suffix)
    return tuple(dict.fromkeys((inference_id, bare + suffix, bare)))
