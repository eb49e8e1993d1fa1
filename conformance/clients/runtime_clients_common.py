"""What compares runtime clients: functions, each created twice, and what they answer and log."""

import base64
import io
import json
import re
import sys
import zipfile

import boto3

ROLE = "arn:aws:iam::000000000000:role/boto3-role"
CONTEXT = base64.b64encode(json.dumps({"custom": {"k": "v"}}).encode()).decode()
lam = boto3.client("lambda")


class Clients:
    """`runtime` is Kagero's; `client` has the files of AWS's, with a bootstrap. `strip` takes from a
    text what is known to differ, and gives None for a line that has nothing else."""

    def __init__(self, runtime, client, files, strip=lambda text: text):
        self.runtime, self.files, self.strip = runtime, files, strip
        self.theirs = {**files, **client}

    def compare(self, cases):
        alike = 0
        for logging in ({"LogFormat": "Text"}, {"LogFormat": "JSON"}):
            for number, (handler, event) in enumerate(cases):
                suffix = "%s-%d" % (logging["LogFormat"].lower(), number)
                ours, theirs = "ours-" + suffix, "theirs-" + suffix
                create(ours, self.runtime, self.files, handler, logging)
                create(theirs, "provided.al2023", self.theirs, handler, logging)
                mine, awss = self.run(ours, event), self.run(theirs, event)
                if mine != awss:
                    for label, one in (("ours", mine), ("AWS's", awss)):
                        print(label, handler, logging, one[0], one[1])
                        print("\n".join("    " + line for line in one[2]))
                    sys.exit("%s is not alike" % handler)
                alike += 1
        print(alike, "cases alike")

    def run(self, name, event):
        answer = lam.invoke(
            FunctionName=name, Payload=json.dumps(event), LogType="Tail", ClientContext=CONTEXT
        )
        payload = answer["Payload"].read().decode()
        tail = base64.b64decode(answer["LogResult"]).decode()
        lines = [self.strip(line) for line in own(tail)]
        return answer.get("FunctionError"), plain(self.strip(payload), name), [
            plain(line, name) for line in lines if line is not None
        ]


def archive(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o755 << 16
            made.writestr(info, data)
    return buffer.getvalue()


def create(name, runtime, files, handler, logging):
    if logging["LogFormat"] == "JSON":
        logging = {**logging, "ApplicationLogLevel": "TRACE"}
    lam.create_function(
        FunctionName=name, Runtime=runtime, Handler=handler, Role=ROLE, Timeout=20, MemorySize=512,
        Code={"ZipFile": archive(files)}, LoggingConfig=logging,
    )
    lam.get_waiter("function_active_v2").wait(FunctionName=name)


def own(tail):
    """What the function and its runtime client wrote, in lines."""
    ours = ("START ", "END ", "REPORT ", "INIT_", "RequestId: ", "Runtime.ExitError", '{"time":')
    lines = [line for line in re.split("[\r\n]", tail) if line.strip()]
    # What AWS's client says of itself, for the functions' owners.
    lines = [line for line in lines if "LAMBDA_WARNING" not in line]
    return [line for line in lines if not line.startswith(ours) and "[kagero]" not in line]


def plain(text, name):
    """Without what differs from run to run."""
    text = text.replace(name, "NAME")
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z?", "TIME", text)
    return text
