"""The programs the demo runs: ordinary LangChain and LangGraph code, traced by the callbacks in its config."""

import operator
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Annotated, Any, Final, NamedTuple, TypedDict

import numpy as np  # noqa: F401 - InMemoryVectorStore needs it, and fails without it only when it searches
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableConfig, RunnablePassthrough
from langchain_core.tools import ToolException, tool
from langchain_core.vectorstores import InMemoryVectorStore
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt
from openai import RateLimitError

from otel_callbacks.cli._demo.models import WRITING_MODEL, Models


class Program(NamedTuple):
    """One program: its name, what it shows, and the call that runs it once."""

    name: str
    title: str
    run: Callable[[Models, RunnableConfig], None]


@tool
def order_status(order_id: str) -> str:
    """Look up where an order is."""
    return f"{order_id}: handed to the carrier on Monday, due on Wednesday, not delivered yet"


@tool
def refund_shipping(order_id: str, amount: float) -> str:
    """Refund the shipping costs of an order."""
    raise ToolException(f"the refund desk is offline, cannot refund {amount} for {order_id}")


refund_shipping.handle_tool_error = True
"""The failure becomes an error message that the model reads, and the agent goes on."""

SUPPORT_PROMPT: Final = "You are the support agent of a postcard shop. Use the tools; be brief."
SUPPORT_QUESTION: Final = "Where is my order A-1042? If it is late, please refund the shipping."


def support_agent(models: Models, config: RunnableConfig) -> None:
    """Run an agent that calls two tools, of which the second fails."""
    agent = _create_agent(models.chat(), [order_status, refund_shipping], SUPPORT_PROMPT, "support_agent")
    agent.invoke({"messages": [("user", SUPPORT_QUESTION)]}, config)


def _create_agent(model: BaseChatModel, tools: Sequence[Any], prompt: str, name: str) -> Runnable[Any, Any]:
    try:
        from langchain.agents import create_agent
    except ImportError:  # LangChain before 1.0
        from langgraph.prebuilt import create_react_agent

        return create_react_agent(model, tools, prompt=prompt, name=name)
    return create_agent(model, tools, system_prompt=prompt, name=name)


POLICIES: Final = (
    "Return policy: unused items can be returned within 30 days with the label in the parcel.",
    "Delivery: postcards are printed on the day of the order and arrive within three days.",
    "Lockers: parcels wait in a locker for a week, then they go back to the shop.",
)
POLICY_PROMPT: Final = "Answer from these pages of the shop:\n{pages}\n\nQuestion: {question}"


def answer_from_pages(models: Models, config: RunnableConfig) -> None:
    """Run a chain that retrieves pages and answers from them."""
    pages = InMemoryVectorStore.from_texts(list(POLICIES), models.embeddings()).as_retriever(search_kwargs={"k": 2})
    chain: Runnable[Any, Any] = {"pages": pages | _join, "question": RunnablePassthrough()} | (
        ChatPromptTemplate.from_template(POLICY_PROMPT) | models.chat() | StrOutputParser()
    )
    chain.with_config(run_name="answer_from_pages").invoke("What is the return policy for unused items?", config)


def _join(pages: Sequence[Document]) -> str:
    return "\n".join(page.page_content for page in pages)


def stream_slogan(models: Models, config: RunnableConfig) -> None:
    """Stream one answer to its end."""
    for _chunk in models.chat(WRITING_MODEL).stream("Write a slogan for a shop that sells postcards.", config):
        pass


class Announcement(TypedDict, total=False):
    """State of the announcement workflow."""

    topic: str
    draft: str
    remarks: Annotated[list[str], operator.add]
    published: bool


def publish_announcement(models: Models, config: RunnableConfig) -> None:
    """Run a graph with two parallel checks that stops for a person's decision, then resume it with one."""
    graph = _announcement_graph(models.chat(WRITING_MODEL))
    on_thread: RunnableConfig = {**config, "configurable": {"thread_id": "announcement-1"}}
    graph.invoke(Announcement(topic="parcel lockers that never close"), on_thread)
    graph.invoke(Command(resume="publish"), on_thread)


def _announcement_graph(model: BaseChatModel) -> Runnable[Any, Any]:
    def ask(request: str) -> str:
        return str(model.invoke(request).content)

    def draft(state: Announcement) -> Announcement:
        return {"draft": ask(f"Announce this in two sentences: {state['topic']}")}

    def check_facts(state: Announcement) -> Announcement:
        return {"remarks": [ask(f"Check the facts of this text: {state['draft']}")]}

    def check_tone(state: Announcement) -> Announcement:
        return {"remarks": [ask(f"Check the tone of this text: {state['draft']}")]}

    def approve(state: Announcement) -> Announcement:
        return {"published": interrupt({"draft": state["draft"], "remarks": state["remarks"]}) == "publish"}

    graph = StateGraph(Announcement)
    graph.add_node(draft)
    graph.add_node(check_facts)
    graph.add_node(check_tone)
    graph.add_node(approve)
    graph.add_edge(START, "draft")
    graph.add_edge("draft", "check_facts")
    graph.add_edge("draft", "check_tone")
    graph.add_edge(["check_facts", "check_tone"], "approve")
    return graph.compile(checkpointer=InMemorySaver(), name="announcement")


def hit_rate_limit(models: Models, config: RunnableConfig) -> None:
    """Make one model call that is refused for too many requests."""
    with suppress(RateLimitError):
        models.failing(429).invoke("Is anyone there?", config)


PROGRAMS: Final = (
    Program("support_agent", "An agent with two tools; the second fails and the agent goes on", support_agent),
    Program("answer_from_pages", "A retrieval chain", answer_from_pages),
    Program("stream_slogan", "A streamed answer", stream_slogan),
    Program("publish_announcement", "A graph with parallel nodes that waits for a person", publish_announcement),
    Program("hit_rate_limit", "A model call that is refused", hit_rate_limit),
)
