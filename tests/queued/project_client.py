"""What the project's web process does: ``python -m tests.queued.project_client save 20``."""

import json
import os
import sys
import time

#: How long each call of ``time.sleep`` was to take; kombu imports it below.
pauses = []
_sleep = time.sleep


def _note_and_sleep(seconds):
    pauses.append(seconds)
    _sleep(seconds)


time.sleep = _note_and_sleep


def main(command, *arguments):
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.queued.project_settings")
    import django

    django.setup()
    commands = {"migrate": migrate, "save": save, "read": read, "delete": delete}
    commands.update(wait=wait, rate=rate)
    answer = commands[command](*arguments)
    sys.stdout.write(json.dumps(answer))


def migrate():
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def body_of(number):
    return b"%d " % number * 1000


def save(first, count):
    """Save files, and say which pauses were made meanwhile."""
    from django.core.files.base import ContentFile

    from smart_storages.queued.registry import find_storage

    storage = find_storage(key())
    pauses.clear()
    for number in range(int(first), int(first) + int(count)):
        storage.save(f"{number}.bin", ContentFile(body_of(number)))
    return {"pauses": pauses}


def read(number):
    """Read a file as a view would, and say whether it is right, or what the error was."""
    from smart_storages.queued.registry import find_storage

    try:
        with find_storage(key()).open(f"{number}.bin") as file:
            return {"right": file.read() == body_of(int(number))}
    except FileNotFoundError as error:
        return {"error": str(error)}


def delete(number):
    from smart_storages.queued.registry import find_storage

    find_storage(key()).delete(f"{number}.bin")


def key():
    from django.conf import settings

    options = settings.STORAGES["scans"]["OPTIONS"]
    return f"{options['local']}>{options['remote']}"


def wait(count, seconds="60"):
    """Wait until so many files are done, then compare each with what was saved."""
    from smart_storages.queued.models import QueuedFile
    from smart_storages.queued.registry import find_storage

    until = time.monotonic() + float(seconds)
    while time.monotonic() < until:
        if QueuedFile.objects.filter(state="done", local_name="").count() == int(count):
            break
        time.sleep(0.1)
    storage = find_storage(key())
    states = list(QueuedFile.objects.order_by().values_list("state", flat=True))
    wrong = []
    for row in QueuedFile.objects.filter(state="done"):
        expected = body_of(int(row.name.partition(".")[0]))
        if storage.remote.open(row.remote_name).read() != expected:
            wrong.append(row.name)
    return {"states": {state: states.count(state) for state in set(states)}, "wrong": wrong}


def rate(count):
    """Wait until so many files are done, and say how many arrived each second."""
    from smart_storages.queued.models import QueuedFile

    done = QueuedFile.objects.filter(state="done")
    until = time.monotonic() + 120
    while done.count() < int(count) and time.monotonic() < until:
        time.sleep(0.2)
    times = sorted(done.values_list("finished_at", flat=True))
    seconds = (times[-1] - times[0]).total_seconds()
    return {"transfers_per_s": (len(times) - 1) / seconds, "files": len(times)}


if __name__ == "__main__":
    main(*sys.argv[1:])
