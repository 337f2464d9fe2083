"""What a report draws by task: one table. Each row stands at the end of its task's module."""

from samesight.contract.tasks import Task
from samesight.conversion.report.tasks.classification import CLASSIFICATION
from samesight.conversion.report.tasks.detection import DETECTION
from samesight.conversion.report.tasks.interface import TaskDrawing

DRAWINGS: dict[Task, TaskDrawing] = {
    "classification": CLASSIFICATION,
    "detection": DETECTION,
}
