"""The programs of `fake_adb.py`: adb itself, and those of the phone. Few imports: they are started often."""

# ruff: noqa: PTH123
import json
import os
import sys

UNAUTHORIZED = (
    "error: device unauthorized.\nThis adb server's $ADB_VENDOR_KEYS is not set\n"
    "Try 'adb kill-server' if that seems wrong.\nOtherwise check for a confirmation dialog on your device.\n"
)


def main(name, root):
    with open(f"{root}/config.json") as file:
        config = json.load(file)
    sys.exit(globals()[name.replace("-", "_")](root, config, sys.argv[1:]))


def adb(root, config, arguments):
    line = " ".join(arguments)
    with open(f"{root}/log", "a") as log:
        log.write(line + "\n")
    for fault in config["faults"]:
        if all(word in line for word in fault["when"].split("*")):
            if "reads" in fault:
                # So much arrives, and then the connection ends.
                part = sys.stdin.buffer.read(fault["reads"])
                with os.popen(
                    f"cd {root}; PATH={root}/bin:$PATH; {arguments[-1].partition(') 2>&1;')[0][1:]}", "w"
                ) as there:
                    there.buffer.write(part)
            if fault.get("hangs"):
                os.execvp("sleep", ["sleep", "60"])
            sys.stdout.write(fault.get("writes", ""))
            sys.stderr.write(fault.get("says", ""))
            return fault.get("code", 1)
    if arguments[:1] == ["version"]:
        print("Android Debug Bridge version 1.0.41\nVersion 35.0.2-12147458\nInstalled as /sdk/platform-tools/adb")
        return 0
    if arguments[:1] == ["devices"]:
        print("* daemon not running; starting now at tcp:5037\n* daemon started successfully", file=sys.stderr)
        print("List of devices attached")
        for serial, state, rest in config["phones"]:
            print(f"{serial:<22} {state} usb:1-1 product:x {rest} transport_id:1")
        print()
        return 0
    serial, state = arguments[1], {one[0]: one[1] for one in config["phones"]}.get(arguments[1])
    if state is None:
        sys.stderr.write(f"error: device '{serial}' not found\n")
        return 1
    if state == "unauthorized":
        sys.stderr.write(UNAUTHORIZED)
        return 1
    if state == "offline":
        sys.stderr.write("error: device offline\n")
        return 1
    match arguments[2:]:
        case ["shell", "-T", command]:
            return shell(root, command)
        case ["push", source, target]:
            target = target.replace("/data/local/tmp", f"{root}/data/local/tmp")
            with open(source, "rb") as read, open(target, "wb") as written:
                written.write(read.read())
            return 0
    raise SystemExit(f"fake adb: {arguments}")


def shell(root, command):
    command = command.replace("/data/local/tmp", f"{root}/data/local/tmp").replace("./tool", "tool")
    os.execve("/bin/sh", ["sh", "-c", command], {"PATH": f"{root}/bin:/usr/bin:/bin"})


def run_as(root, config, arguments):
    package, *command = arguments
    if package not in config["installed"]:
        print(f"run-as: unknown package: {package}", file=sys.stderr)
        return 1
    if not config["debuggable"]:
        print(f"run-as: package not debuggable: {package}", file=sys.stderr)
        return 1
    if command == ["id"]:
        print("uid=10234(u0_a234) gid=10234(u0_a234) context=u:r:runas_app:s0:c234")
        return 0
    os.chdir(f"{root}/data/{package}")
    return os.execvp(command[0], command)


def getprop(root, config, arguments):
    for name, value in config["properties"].items():
        print(f"[{name}]: [{value}]")


def pm(root, config, arguments):
    if arguments[1] not in config["installed"]:
        return 1
    print(f"package:/data/app/~~x==/{arguments[1]}-y==/base.apk")
    return 0


def dumpsys(root, config, arguments):
    match arguments:
        case ["window"]:
            print(f"    mShowingDream=false mDreamingLockscreen={str(config['locked']).lower()}")
        case ["thermalservice"]:
            # One after the other, the last one for ever.
            now, *later = config["thermal"]
            sys.stdout.write(now)
            if later:
                with open(f"{root}/config.json", "w") as file:
                    json.dump(config | {"thermal": later}, file)
        case ["battery"]:
            sys.stdout.write(config["battery"])


def pidof(root, config, arguments):
    if config["app"] in ("crashes", "is not there"):
        return 1
    print("4242")
    return 0


def tool(root, config, arguments):
    with open(f"{root}/arguments", "w") as file:
        file.write(" ".join(arguments))
    sys.stdout.write(config["tool"])
    return config.get("tool_code", 0)


def am(root, config, arguments):
    """Starts the app, which does the errand at once, as `config["app"]` says."""
    if config["app"] == "does not start":
        print("Error type 3\nError: Activity class {samesight.app/samesight.app.MainActivity} does not exist.")
        return 1
    import zipfile
    from pathlib import Path

    print(f"Starting: Intent {{ cmp={arguments[2]} }}")
    extras = dict(zip(arguments[4::3], arguments[5::3], strict=True))
    token = extras["samesight.errand"]
    folder = Path(root, "data", arguments[2].partition("/")[0], "files/errands")
    folder.mkdir(parents=True, exist_ok=True)
    pack = folder / f"{token}.zip"
    model = extras.get("samesight.model")
    if pack.exists():
        with zipfile.ZipFile(pack) as archive:
            assert archive.testzip() is None
            model = json.loads(archive.read("model.json"))["name"]
        Path(root, "pack.zip").write_bytes(pack.read_bytes())
    said = {
        "done": f"tested {model}" if "samesight.test" in extras else f"opened {model}",
        "tells nothing": f"tested {model}",
        "refuses": "failed bundle.zip: is not signed; sign it with the app's key",
        "crashes": "running 3 9 tiny on the NPU",
        "hangs": "running 3 9 tiny on the NPU",
    }
    if "samesight.test" in extras and config["app"] == "done":
        (folder / f"{token}.json").write_text(config["results"])
    if config["app"] in said:
        (folder / f"{token}.said").write_text(said[config["app"]])
    return 0
