"""Going on with a training that was interrupted, whichever kind it was."""

import sys
from pathlib import Path

from samesight.training.callbacks import Report
from samesight.training.qat import tune
from samesight.training.run_folder import partial_folder, read_interrupted
from samesight.training.train import complete, prepare


def resume(run: Path, report: Report = lambda line: print(line, file=sys.stderr)) -> Path:
    """Go on with an interrupted training from its last checkpoint, to the same result as without the interruption.

    Raises:
        UsageError: there is no interrupted training of this run.
        SamesightError: as `train`.
    """
    config = read_interrupted(run)
    run = run.with_name(run.name.removesuffix(".partial"))
    if config.tuned_from:
        return tune(config, run, report, begun=True)
    return complete(prepare(config, partial_folder(run), report), run, report)
