"""Runs the own code of both apps on this computer, of each where its tools are here."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from samesight.contract.bundle import Bundle
from samesight.contract.device_results import DeviceParity
from samesight.contract.errors import SamesightError
from samesight.conversion.apps import android, ios
from samesight.conversion.apps.host import Progress


@dataclass(frozen=True)
class App:
    """`missing` says why its code cannot run here; `run` gives what it makes of a bundle's golden cases."""

    name: str
    missing: Callable[[], str | None]
    run: Callable[[Bundle, Progress], DeviceParity]


APPS = (
    App("Android app", android.missing_tools, android.run_android_app),
    App("iOS app", ios.missing_tools, ios.run_ios_app),
)


def run_apps(
    bundle: Bundle,
    progress: Callable[[str], AbstractContextManager[Progress]],
    say: Callable[[str], None],
    apps: tuple[App, ...] = APPS,
) -> list[DeviceParity]:
    """The results of every app whose tools are here; of another one `say` is told so. Where CI is set, all must be.

    Raises:
        SamesightError: no app's tools are here, or an app's code fails.
    """
    missing = {app.name: reason for app in apps if (reason := app.missing())}
    if missing and (len(missing) == len(apps) or os.environ.get("CI")):
        raise SamesightError(f"--apps: {'; '.join(f'{name}: {reason}' for name, reason in missing.items())}")
    for name, reason in missing.items():
        say(f"The {name} is left out: {reason}")
    parities = []
    for app in apps:
        if app.name not in missing:
            with progress(f"running the {app.name}'s code") as bar:
                parities.append(app.run(bundle, bar))
    return parities
