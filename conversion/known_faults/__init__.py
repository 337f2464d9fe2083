"""Faults of phones' runtimes that others have reported, held against the artifacts that we make.

Nobody can run every phone. What is here was reported publicly, and its pattern can be read from a file: each row of the
tables says where it was reported, what goes wrong, and what avoids it. A row that fits an artifact is a warning beside
its verdict. How to add one: a row in the table of its runtime, a network that has the fault and one that has not in
`tests/conversion/known_faults/`, and `python -m samesight.conversion.known_faults.document`.
"""

from samesight.conversion.known_faults.coreai import COREAI_FAULTS
from samesight.conversion.known_faults.coreml import COREML_FAULTS
from samesight.conversion.known_faults.executorch import EXECUTORCH_FAULTS
from samesight.conversion.known_faults.fault import Fault
from samesight.conversion.known_faults.litert import LITERT_FAULTS
from samesight.conversion.known_faults.litert_gpu import LITERT_GPU_FAULTS
from samesight.conversion.known_faults.neural_engine import NEURAL_ENGINE_FAULTS
from samesight.conversion.known_faults.onnxruntime import ONNXRUNTIME_FAULTS

KNOWN_FAULTS: dict[str, Fault] = {
    fault.id: fault
    for fault in (
        *LITERT_GPU_FAULTS,
        *LITERT_FAULTS,
        *EXECUTORCH_FAULTS,
        *ONNXRUNTIME_FAULTS,
        *COREML_FAULTS,
        *NEURAL_ENGINE_FAULTS,
        *COREAI_FAULTS,
    )
}
