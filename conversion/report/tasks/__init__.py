"""The task-dependent parts of a report: one table. Each row is at the end of its task's module."""

from samesight.contract.tasks import Task
from samesight.conversion.report.tasks.classification import CLASSIFICATION
from samesight.conversion.report.tasks.detection import DETECTION
from samesight.conversion.report.tasks.interface import TaskDrawing

DRAWINGS: dict[Task, TaskDrawing] = {
    "classification": CLASSIFICATION,
    "detection": DETECTION,
}
