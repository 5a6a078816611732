"""The service's processes, as the kernel and smss's own table know them."""

import os

import gdb

from show import bare
from target import Error, frames


class Process:
    """A line of /proc/PID/stat."""

    def __init__(self, pid):
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            line = f.read()
        name, rest = line[line.index("(") + 1:line.rindex(")")], line[line.rindex(")") + 2:].split()
        self.pid = pid
        self.image = "".join(c if c.isprintable() else "?" for c in name)
        self.parent = int(rest[1])
        # fields 22, 26 and 48 of proc(5); this has the third and those after it
        self.started, self.code, self.arguments = int(rest[19]), int(rest[23]), int(rest[45])

    def handles(self):
        try:
            return str(len(os.listdir(f"/proc/{self.pid}/fd")))
        except OSError:
            return "?"

    def session_argument(self):
        """csrss and winlogon are told their session; a suspended one has still smss's own
        arguments."""
        try:
            with open(f"/proc/{self.pid}/cmdline", "rb") as f:
                words = f.read().split(b"\0")
        except OSError:
            return None
        if words[0].decode("utf-8", "replace") == self.image and len(words) > 1 and \
                words[1].isdigit():
            return int(words[1])
        return None


def read_processes(manager):
    """smss and everything below it, the oldest first."""
    everything = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                everything[int(name)] = Process(int(name))
            except (OSError, ValueError, IndexError):
                pass  # it has ended

    def below(process):
        for _ in range(len(everything)):
            if process is None or process.pid == manager:
                return process is not None
            process = everything.get(process.parent)
        return False

    return sorted((p for p in everything.values() if below(p)), key=lambda p: (p.started, p.pid))


# ---- smss's table


def table():
    """The sessions' structures."""
    smss = gdb.lookup_global_symbol("Smp").value()
    if not int(smss) or not int(smss["slots"]):
        raise Error("smss has no table of sessions yet")
    slots = (smss["slots"][i] for i in range(int(smss["capacity"])))
    return sorted((s.dereference() for s in slots if int(s)), key=lambda s: int(s["id"]))


def session_in_frames():
    """The session that the chain is about, whose process is not in the table yet."""
    for frame in frames():
        for name in ("MuSession", "session", "State"):
            try:
                value = frame.read_var(name)
            except (ValueError, RuntimeError, gdb.error):
                continue
            if str(bare(value.type)) in ("struct session *", "const struct session *") and \
                    not value.is_optimized_out and int(value):
                return value.dereference()
    return None


def roots():
    """{process id: session} of those that the table names."""
    found = {}
    for session in table():
        for pid in [session["winlogon"], session["creator"]] + subsystem_processes(session):
            if int(pid) > 0:
                found[int(pid)] = int(session["id"])
    return found


def subsystem_processes(session):
    found, subsystem = [], session["subsystems"]["lh_first"]
    while int(subsystem):
        found.append(subsystem["pid"])
        subsystem = subsystem["entry"]["le_next"]
    return found


def sessions_of(processes, manager):
    """{process id: session} of PROCESSES; without the service's own."""
    named = roots()
    for process in processes:
        if process.parent != manager or process.pid in named:
            continue
        session = process.session_argument() if process.image in ("csrss", "winlogon") else None
        if session is None and process.image == "csrss":  # it has not run an instruction
            creating = session_in_frames()
            session = int(creating["id"]) if creating is not None else None
        if session is not None:
            named[process.pid] = session
    parents = {p.pid: p.parent for p in processes}
    found = {}
    for process in processes:
        pid = process.pid
        while pid in parents and pid not in named:
            pid = parents[pid]
        if pid in named:
            found[process.pid] = named[pid]
    return found


def session_of(pid, manager):
    """None: it is in none."""
    return sessions_of(read_processes(manager), manager).get(pid)


# ---- !process and !session


def describe(process, session):
    return (f"PROCESS {process.started:08x} SessionId: {'none' if session is None else session} "
            f"Cid: {process.pid:04x} Peb: {process.arguments & 0xffffffff:08x} "
            f"ParentCid: {process.parent:04x}\n"
            f"DirBase: {process.code & 0xffffffff:08x} ObjectTable: 00000000 "
            f"HandleCount: {process.handles()}.\n"
            f"Image: {process.image}")


def show_processes(manager, only=None):
    processes = read_processes(manager)
    sessions = sessions_of(processes, manager)
    lines = [] if only else ["**** NT ACTIVE PROCESS DUMP ****"]
    for process in processes:
        if not only or process.pid == only:
            lines.append(describe(process, sessions.get(process.pid)))
    if not lines:
        raise Error(f"the service has no process with Cid {only:04x}")
    return lines


def state_name(session):
    """WTS_ACTIVE, and so on."""
    for field in bare(session["state"].type).fields():
        if field.enumval == int(session["state"]):
            return field.name
    return str(int(session["state"]))


def show_session(number, manager):
    sessions = table()
    ids = [int(s["id"]) for s in sessions]
    lines = [f"Sessions on machine: {len(ids)}", "Valid Sessions: " + " ".join(map(str, ids))]
    if number is None:
        return lines
    session = next((s for s in sessions if int(s["id"]) == number), None)
    if session is None:
        raise Error(f"there is no session {number}; valid sessions: " + " ".join(map(str, ids)))
    info = session["info"]

    def text(name):
        return info[name].string("utf-8", "replace") or "-"

    lines.append(f"Session {number}: {text('winstation')}")
    lines.append(f"State: {state_name(session)}")
    lines.append(f"User: {text('user')} Domain: {text('domain')}")
    lines.append(f"Client: {text('station')} Address: {text('address')}")
    processes = read_processes(manager)
    of = sessions_of(processes, manager)
    return lines + [describe(p, number) for p in processes if of.get(p.pid) == number]
