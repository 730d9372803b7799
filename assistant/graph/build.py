"""The conversation as a LangGraph state machine: one message in, one reply out.

START -> interpret -> run_tools -> (route) -> answer | ask | review -> END
"""

from __future__ import annotations

import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph

from assistant.graph import nodes
from assistant.interpreters import Interpreter
from assistant.services import Services


def build_graph(interpreter: Interpreter, path: Path) -> Any:
    """The compiled graph over its own SQLite file; `thread_id` is the conversation."""
    graph = StateGraph(nodes.TurnState, context_schema=Services)
    graph.add_node("interpret", partial(nodes.interpret, interpreter=interpreter))
    graph.add_node("run_tools", nodes.run_tools)
    for name in ("answer", "ask", "review"):
        graph.add_node(name, getattr(nodes, name))
        graph.add_edge(name, END)
    graph.add_edge(START, "interpret")
    graph.add_edge("interpret", "run_tools")
    graph.add_conditional_edges("run_tools", nodes.route, ["answer", "ask", "review"])
    connection = sqlite3.connect(path, check_same_thread=False)
    # Plain JSON only: nothing stored may name a type to build (threats: tampered checkpoint).
    saver = SqliteSaver(connection, serde=JsonPlusSerializer(allowed_msgpack_modules=[]))
    return graph.compile(checkpointer=saver)
