"""Ports for programs that run side by side."""

import socket

import native_stack
from native_stack import HOST, free_ports


def test_no_port_is_given_twice():
    """Programs that get their ports in turn, before any of them starts, do not share one."""
    ports = [port for _ in range(100) for port in free_ports(3)]
    assert len(set(ports)) == 300


def test_a_port_in_use_is_passed_over(monkeypatch):
    """A port that something listens on is skipped."""
    busy, free = free_ports(2)
    monkeypatch.setattr(native_stack, "_untried_ports", iter([busy, free]))
    with socket.create_server((HOST, busy)):
        assert free_ports(1) == [free]
