"""The task-dependent parts of judging artifacts: one table. Each row is at the end of its task's module."""

from samesight.contract.tasks import Task
from samesight.conversion.tasks.classification import CLASSIFICATION
from samesight.conversion.tasks.detection import DETECTION
from samesight.conversion.tasks.interface import TaskParity

TASKS: dict[Task, TaskParity] = {
    "classification": CLASSIFICATION,
    "detection": DETECTION,
}
# The title of each metric in texts for people.
METRIC_TITLES = {row.metric_name: row.metric_title for row in TASKS.values()}
