"""What an NPU takes of a network, in words for people; and what is bad about it."""

from samesight.contract.manifest import Artifact, LeftOperator, Plan
from samesight.conversion.npu.chips import MAKERS, SNAPDRAGON, maker_of

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "CONV_3D", "FULLY_CONNECTED", "BATCH_MATMUL")
"""Operators in which nearly all of a network's work is."""


def plan_words(plan: Plan) -> str:
    """How much the NPU takes: "31 of 31 operators in 1 piece"."""
    taken = plan.operators - sum(operator.count for operator in plan.left)
    return f"{taken} of {plan.operators} operators in {_counted(plan.pieces, 'piece')}"


def plan_note(artifact: Artifact) -> str:
    """For which chips an artifact was compiled, and how much of it they take; empty for others."""
    parts = [", ".join(artifact.soc or ()), plan_words(artifact.plan) if artifact.plan else ""]
    return ": ".join(part for part in parts if part) if artifact.unit == "npu" else ""


def pieces_words(pieces: int, left: int) -> str:
    """Why a file is not one program for the NPU."""
    return f"the NPU takes it in {_counted(pieces, 'piece')} and leaves {_counted(left, 'operator')} to the CPU"


def plan_warnings(artifact: Artifact) -> list[str]:
    """What makes a plan a bad one, in sentences with the reasons by operator; nothing for a good one."""
    plan = artifact.plan
    if plan is None or (plan.pieces == 1 and not plan.left):
        return []
    warnings = []
    if plan.pieces > 1:
        warnings.append(f"the NPU takes it in {plan.pieces} pieces, and at every border it waits for the CPU")
    work = [operator for operator in plan.left if operator.kind in CONVOLUTIONS]
    rest = [operator for operator in plan.left if operator.kind not in CONVOLUTIONS]
    if work:
        warnings.append(f"the CPU keeps {left_words(work)}, in which most of the work is")
    if rest:
        warnings.append(f"the CPU keeps {left_words(rest)}")
    return warnings


def left_words(left: list[LeftOperator]) -> str:
    """Operators that stay on the CPU, with the reasons: "1 ATAN2 (…)"."""
    return ", ".join(f"{operator.count} {operator.kind} ({operator.reason})" for operator in left)


def cannot_run_here(artifact: Artifact) -> str | None:
    """Why nothing on this computer can run what was compiled for an NPU; None for what the simulator may run."""
    if artifact.unit != "npu":
        return None
    strangers = [soc for soc in artifact.soc or () if (maker := maker_of(soc)) and maker.name != SNAPDRAGON]
    if strangers:
        maker = maker_of(strangers[0])
        title = MAKERS[maker.name].title if maker else "another maker"
        return f"nothing here runs programs for {title}'s NPUs; judge it by a phone's results (--device-results)"
    if artifact.plan and (artifact.plan.pieces != 1 or artifact.plan.left):
        left = sum(operator.count for operator in artifact.plan.left)
        return (
            f"{pieces_words(artifact.plan.pieces, left)}, and nothing here runs both together; "
            "judge it by a phone's results (--device-results)"
        )
    return None


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
