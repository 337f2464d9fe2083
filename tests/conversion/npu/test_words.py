"""What is said of a plan, and of a bad one."""

from samesight.contract.manifest import LeftOperator, Plan
from samesight.conversion.npu.words import cannot_run_here, plan_note, plan_warnings
from support.bundles import artifact

WHOLE = Plan(pieces=1, operators=31)
ATAN = LeftOperator(kind="ATAN2", count=1, reason="the compiler has no such operator")
CONVOLUTIONS = LeftOperator(kind="CONV_2D", count=9, reason="the NPU does not take its types")


def compiled(plan, *soc):
    return artifact("tiny.fp16.SM8650.tflite", "litert", "fp16").model_copy(
        update={"unit": "npu", "soc": soc, "plan": plan}
    )


def test_a_good_plan_has_no_warning():
    good = compiled(WHOLE, "SM8650")
    assert plan_note(good) == "SM8650: 31 of 31 operators in 1 piece"
    assert plan_warnings(good) == [] and cannot_run_here(good) is None


def test_a_bad_plan_is_told_with_the_reasons_by_operator():
    bad = compiled(Plan(pieces=21, operators=150, left=(CONVOLUTIONS, ATAN)), "SM8650")
    assert plan_note(bad) == "SM8650: 140 of 150 operators in 21 pieces"
    assert plan_warnings(bad) == [
        "the NPU takes it in 21 pieces, and at every border it waits for the CPU",
        "the CPU keeps 9 CONV_2D (the NPU does not take its types), in which most of the work is",
        "the CPU keeps 1 ATAN2 (the compiler has no such operator)",
    ]
    assert str(cannot_run_here(bad)).startswith("the NPU takes it in 21 pieces and leaves 10 operators to the CPU, and")


def test_what_no_simulator_plays_is_said():
    assert "nothing here runs programs for MediaTek's NPUs" in str(cannot_run_here(compiled(WHOLE, "MT6991")))
    # A chip of tomorrow: the simulator says whether it can.
    assert cannot_run_here(compiled(WHOLE, "SM9999")) is None


def test_what_runs_on_a_cpu_has_no_plan():
    ordinary = artifact("tiny.fp32.tflite", "litert")
    assert plan_note(ordinary) == "" and plan_warnings(ordinary) == [] and cannot_run_here(ordinary) is None
