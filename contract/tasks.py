"""The tasks that a model can have: one table. Each row is at the end of its task's module."""

from typing import Literal

from samesight.contract.classification import CLASSIFICATION
from samesight.contract.detection import DETECTION
from samesight.contract.task_rules import TaskRules

Task = Literal["classification", "detection"]

TASKS: dict[Task, TaskRules] = {
    "classification": CLASSIFICATION,
    "detection": DETECTION,
}
