"""What a phone says of itself: who it is, whether it is locked, how hot it is, whether the app is there.

Its words are those of Android's sources (frameworks/base): `dumpsys thermalservice` prints "Thermal Status: N" with the
numbers of `PowerManager.THERMAL_STATUS_*` since Android 10, `dumpsys battery` tenths of a degree, `dumpsys window`
"mDreamingLockscreen" (DisplayPolicy) and "mKeyguardShowing" (KeyguardController); `pm path` prints "package:PATH".
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from samesight.contract.errors import SamesightError
from samesight.conversion.device.adb import Bridge

THERMAL = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
# For phones before Android 10, which name no thermal status: the battery's temperature from which they count as hot.
HOT_BATTERY = 40.0
LOCKED = re.compile(r"\b(mDreamingLockscreen|isKeyguardShowing|mKeyguardShowing|mShowingLockscreen)=true\b")
PROPERTIES = {
    "maker": "ro.product.manufacturer",
    "model": "ro.product.model",
    "android": "ro.build.version.release",
    "soc": "ro.soc.model",
    "abi": "ro.product.cpu.abi",
}
LOOK_SECONDS = 10.0


@dataclass(frozen=True)
class Phone:
    """Who a phone says it is; `soc` is the chip as `Build.SOC_MODEL` names it, None before Android 12."""

    serial: str
    maker: str
    model: str
    android: str
    soc: str | None
    abi: str


@dataclass(frozen=True)
class Heat:
    """How hot a phone is: Android's thermal status (None before Android 10) and the battery's degrees Celsius."""

    status: int | None
    battery: float | None

    @property
    def hot(self) -> bool:
        """Whether the system slows the chip down, or may soon."""
        if self.status is not None:
            return self.status > 0
        return self.battery is not None and self.battery >= HOT_BATTERY

    @property
    def words(self) -> str:
        """The same for people."""
        name = THERMAL[self.status] if self.status is not None and self.status < len(THERMAL) else None
        status = f"thermal status {name}" if name else "no thermal status"
        return status + (f", battery {self.battery:.1f} °C" if self.battery is not None else "")


def identify(bridge: Bridge) -> Phone:
    """Ask the phone who it is (errors as of `Bridge.shell`)."""
    text = bridge.shell("getprop", "asking the phone who it is")
    found = dict(re.findall(r"^\[([^\]]+)\]: \[(.*)\]$", text, re.M))
    values = {name: found.get(key, "").strip() for name, key in PROPERTIES.items()}
    return Phone(
        bridge.serial,
        values["maker"] or "unknown maker",
        values["model"] or "unknown model",
        values["android"] or "unknown",
        values["soc"] or None,
        values["abi"] or "unknown",
    )


def require_unlocked(bridge: Bridge) -> None:
    """Wake the phone, and see that its lock screen is away: behind it apps are slowed down or do not start.

    Raises:
        SamesightError: it is locked; or as of `Bridge.shell`.
    """
    doing = "looking whether the phone is locked"
    # The second command takes a lock screen away that asks for nothing.
    text = bridge.shell("input keyevent KEYCODE_WAKEUP; wm dismiss-keyguard; dumpsys window", doing, check=False)
    if LOCKED.search(text):
        raise SamesightError(f"{bridge.serial}: the phone is locked; unlock it and run the command again")


def require_app(bridge: Bridge, package: str) -> None:
    """See that the app is installed as a build that `adb` may talk to.

    Raises:
        SamesightError: it is not installed, or is a release; or as of `Bridge.shell`.
    """
    doing = "looking for the app"
    if "package:" not in bridge.shell(f"pm path {package}", doing, check=False):
        raise SamesightError(
            f"{bridge.serial}: the app {package} is not installed; `./gradlew :app:installPlainDebug` in android_app "
            "installs it, or name yours by --app"
        )
    said = bridge.shell(f"run-as {package} id", doing, check=False)
    if "uid=" not in said:
        why = said.strip().splitlines()[-1:] or ["no message"]
        raise SamesightError(
            f"{bridge.serial}: adb may not use the app {package} ({why[0]}); install a debug build of it"
        )


def heat(bridge: Bridge) -> Heat:
    """How hot the phone is now (errors as of `Bridge.shell`)."""
    text = bridge.shell("dumpsys thermalservice; dumpsys battery", "asking how hot the phone is", check=False)
    status = re.search(r"^\s*Thermal Status: (\d+)", text, re.M)
    battery = re.search(r"^\s*temperature: (-?\d+)", text, re.M)
    return Heat(int(status[1]) if status else None, int(battery[1]) / 10 if battery else None)


def wait_until_cool(bridge: Bridge, seconds: float, say: Callable[[str], None]) -> Heat:
    """Wait until the phone is not hot, `seconds` at most; how hot it is then.

    Raises:
        SamesightError: it stays hot, or does not say how hot it is.
    """
    end = time.monotonic() + seconds
    told = False
    while True:
        now = heat(bridge)
        if now.status is None and now.battery is None:
            raise SamesightError(
                f"{bridge.serial}: the phone does not say how hot it is, so its times would prove nothing"
            )
        if not now.hot:
            return now
        left = end - time.monotonic()
        if left <= 0:
            raise SamesightError(
                f"{bridge.serial}: the phone is too hot ({now.words}); let it cool down off the charger, or give a "
                "longer --cool-down"
            )
        if not told:
            say(f"{bridge.serial}: hot ({now.words}); waiting up to {seconds:.0f} s until it is cool")
            told = True
        time.sleep(min(LOOK_SECONDS, left))
