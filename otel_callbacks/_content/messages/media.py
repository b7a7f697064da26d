"""Content blocks that carry or name a file: modality, media type, and size or address, never the bytes."""

from collections.abc import Mapping
from typing import Any

from otel_callbacks._content.json import data_url, decoded_size
from otel_callbacks._mapping.reading import first_text

Part = dict[str, Any]
"""A part of a message in the form of the GenAI conventions."""

_NESTED = (
    "source", "image_url", "input_audio", "file", "audio_url", "video_url", "inline_data", "inlineData", "file_data",
    "fileData", "image", "audio", "video", "document",
)  # fmt: skip
_DATA = ("base64", "data", "file_data", "bytes")
_ADDRESSES = ("url", "file_url", "file_uri", "fileUri", "uri", "image_url", "audio_url", "video_url")
_MEDIA_TYPES = ("mime_type", "media_type", "mimeType")
_MODALITIES = {
    "image": "image", "image_url": "image", "input_image": "image", "audio": "audio", "input_audio": "audio",
    "audio_url": "audio", "video": "video", "video_url": "video", "input_video": "video",
}  # fmt: skip


def media_part(block: Mapping[str, Any]) -> Part | None:
    """Return a ``blob``, ``uri``, ``file`` or ``text`` part for any provider's block, ``None`` if it has no file."""
    fields = _fields(block)
    if fields.get("type") == "text" or fields.get("source_type") == "text":
        return {"type": "text", "content": first_text(fields, ("text", "data")) or ""}
    media_type = first_text(fields, _MEDIA_TYPES) or _audio_type(fields)
    modality = _modality(block.get("type"), media_type)
    for key in _DATA + _ADDRESSES:
        value = fields.get(key)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return _blob(modality, media_type, memoryview(value).nbytes)
        if isinstance(value, str) and value:
            return _from_text(value, modality, media_type, is_data=key in _DATA)
    identity = first_text(fields, ("file_id", "id") if fields.get("source_type") == "id" else ("file_id",))
    if identity is None:
        return None
    return _reference("file", modality, media_type) | {"file_id": identity}


def _fields(block: Mapping[str, Any]) -> dict[str, Any]:
    """Return the block's fields, overlaid with those of the dictionary that most providers nest them in."""
    nested: Mapping[str, Any] = next((block[key] for key in _NESTED if isinstance(block.get(key), Mapping)), {})
    return {**block, **nested} if nested else dict(block)


def _from_text(value: str, modality: str, media_type: str | None, *, is_data: bool) -> Part:
    inline = data_url(value)  # providers also put data URLs where an address or bare base64 belongs
    if inline:
        own_type, size = inline
        media_type = own_type or media_type
        return _blob(modality if modality != "document" else _modality(None, media_type), media_type, size)
    if is_data:
        return _blob(modality, media_type, decoded_size(value))
    return _reference("uri", modality, media_type) | {"uri": value}


def _blob(modality: str, media_type: str | None, size: int) -> Part:
    """Return a blob with empty content: the convention requires the member, as base64, and no data may leave."""
    blob: Part = {"type": "blob", "modality": modality, "content": "", "byte_size": max(size, 0)}
    return blob | {"mime_type": media_type} if media_type else blob


def _reference(kind: str, modality: str, media_type: str | None) -> Part:
    part = {"type": kind, "modality": modality}
    return part | {"mime_type": media_type} if media_type else part


def _modality(block_type: object, media_type: str | None) -> str:
    if isinstance(block_type, str) and block_type in _MODALITIES:
        return _MODALITIES[block_type]
    major = (media_type or "").partition("/")[0]
    return major if major in {"image", "audio", "video"} else "document"


def _audio_type(fields: Mapping[str, Any]) -> str | None:
    """Return the media type of OpenAI's ``input_audio``, which names a format instead."""
    name = fields.get("format")
    return f"audio/{name}" if isinstance(name, str) and fields.get("type") == "input_audio" else None
