"""What differs by task when a model is trained: one table. Each row stands at the end of its task's module."""

from samesight.contract.tasks import Task
from samesight.training.tasks.classification import CLASSIFICATION
from samesight.training.tasks.detection import DETECTION
from samesight.training.tasks.interface import TaskTraining

TASKS: dict[Task, TaskTraining] = {
    "classification": CLASSIFICATION,
    "detection": DETECTION,
}
