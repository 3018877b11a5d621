"""Turns declarations, and what is known of earlier builds, into a graph of tasks; pure, touches nothing."""

from packerpy.plan.again import Again
from packerpy.plan.known import Known, Past
from packerpy.plan.planner import plan
from packerpy.plan.select import select
from packerpy.plan.tasks import Action, Plan, PlannedBuild, Task, TaskKind
from packerpy.plan.why import Change, Reasons, reasons

__all__ = [
    "Action",
    "Again",
    "Change",
    "Known",
    "Past",
    "Plan",
    "PlannedBuild",
    "Reasons",
    "Task",
    "TaskKind",
    "plan",
    "reasons",
    "select",
]
