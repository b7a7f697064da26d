"""The models the programs call: real `langchain-openai` clients of the loopback server, or a real provider's."""

import logging
from typing import Any, Final

from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from openai import DefaultHttpxClient

from otel_callbacks.cli._exit import Stop

CHAT_MODEL: Final = "gpt-4o-mini"
WRITING_MODEL: Final = "gpt-4.1-mini"
EMBEDDING_MODEL: Final = "text-embedding-3-small"


class Models:
    """The models of one demo.

    Args:
        server: Address of the loopback server, without a path.
        real: ``provider:name`` of a real model to chat with, as LangChain's `init_chat_model` takes it.

    Raises:
        Stop: The real model's package or key is missing, or its name is unknown.
    """

    def __init__(self, server: str, real: str | None = None) -> None:
        self._server = server
        self._real = _real_model(real) if real else None
        # Loopback is reached directly, whatever proxy this machine uses.
        self._http = DefaultHttpxClient(trust_env=False)
        # It warns that proxies are not used, even when it is given a client.
        logging.getLogger("langchain_openai").setLevel(logging.ERROR)

    def close(self) -> None:
        """Close the connections to the loopback server."""
        self._http.close()

    def chat(self, name: str = CHAT_MODEL) -> BaseChatModel:
        """Return the model that answers: the real one, or the one of that name."""
        return self._real or ChatOpenAI(model=name, stream_usage=True, **self._client("/v1"))

    def failing(self, status: int) -> BaseChatModel:
        """Return a model of the loopback server that answers every call with this HTTP status."""
        return ChatOpenAI(model=CHAT_MODEL, **self._client(f"/status/{status}/v1"))

    def embeddings(self) -> Embeddings:
        """Return the loopback server's embeddings. Token counting is off: it would download a vocabulary."""
        return OpenAIEmbeddings(model=EMBEDDING_MODEL, check_embedding_ctx_length=False, **self._client("/v1"))

    def _client(self, path: str) -> dict[str, Any]:
        return {
            "base_url": self._server + path,
            "api_key": "demo",
            # Retries would hide the refused call, and take seconds.
            "max_retries": 0,
            "timeout": 30,
            # Overrides OPENAI_PROXY, which a client of our own would turn into an error.
            "openai_proxy": "",
            "http_client": self._http,
        }


def _real_model(name: str) -> BaseChatModel:
    try:
        from langchain.chat_models import init_chat_model

        return init_chat_model(name)
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise Stop(f"--model {name}: {reason or type(error).__name__}") from error
