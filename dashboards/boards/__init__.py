"""The four boards: one module each, a table of panels."""

from boards import agents, cost, health, overview

BOARDS = (overview.BOARD, agents.BOARD, cost.BOARD, health.BOARD)
