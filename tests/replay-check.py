#!/usr/bin/env python3
"""Holds a session of musess-kd against the transcript of Windows' smss.

    replay-check.py SESSION PROCESSES TRANSCRIPT

SESSION is what musess-kd printed, PROCESSES a file of the process ids below smss before the
session was created. The expectation stands below; where the file TRANSCRIPT exists, it is
also taken from there: same commands, same order, same fields. Values may differ.
"""

import os
import re
import sys

HEX = "[0-9a-f]+"
ADDRESS = "0x" + HEX
STRING = '".*"'
NUMBER = r"(?:0|0x[0-9a-f]+)"
SIGNED = r"0n-?\d+"
UNICODE = f"struct _UNICODE_STRING {STRING}"
INSTRUCTION = f"{HEX} (?:[0-9a-f]{{2}})+ [a-z].*"

SMAPIMSG = [
    rf"\(\(smss!_SMAPIMSG \*\){ADDRESS}\) : {ADDRESS} \[Type: _SMAPIMSG \*\]",
    r"\[\+0x000\] h \[Type: _PORT_MESSAGE\]",
    r"\[\+0x018\] ApiNumber : SmStartCsrApi \(5\) \[Type: _SMAPINUMBER\]",
    r"\[\+0x01c\] ReturnedStatus : 259 \[Type: long\]",
    r"\[\+0x020\] u \[Type: __unnamed\]",
]
UNION = [rf"\(\*\(\(smss!__unnamed \*\){ADDRESS}\)\) \[Type: __unnamed\]"] + [
    rf"\[\+0x000\] {name} \[Type: {type_}\]" for name, type_ in (
        ("CreateForeignSession", "_SMCREATEFOREIGNSESSION"),
        ("SessionComplete", "_SMSESSIONCOMPLETE"),
        ("TerminateForeignComplete", "_SMTERMINATEFOREIGNSESSION"),
        ("ExecPgm", "_SMEXECPGM"),
        ("LoadDefered", "_SMLOADDEFERED"),
        ("StartCsr", "_SMSTARTCSR"),
        ("StopCsr", "_SMSTOPCSR"))
]
STARTCSR = [
    rf"\(\*\(\(smss!_SMSTARTCSR \*\){ADDRESS}\)\) \[Type: _SMSTARTCSR\]",
    r"\[\+0x000\] MuSessionId : 0xffffffff \[Type: unsigned long\]",
    r"\[\+0x004\] InitialCommandLength : 0x0 \[Type: unsigned long\]",
    r"\[\+0x008\] InitialCommand \[Type: unsigned short \[128\]\]",
    r"\[\+0x108\] InitialCommandProcessId : 0x0 \[Type: unsigned long\]",
    rf"\[\+0x10c\] WindowsSubSysProcessId : {ADDRESS} \[Type: unsigned long\]",
]
# Locals have no value yet at a function's first instruction: what is there, is there.
DV_STARTCSR = [
    f"SmApiMsg = {ADDRESS}", f"CallingClient = {ADDRESS}", f"CallPort = (?:{SIGNED}|{ADDRESS})",
    f"State = {ADDRESS}", f"InitialCommandProcessId = {NUMBER}",
    f"InitialCommandProcess = {ADDRESS}", f"InitialCommand = {UNICODE}",
    f"DefaultInitialCommand = {UNICODE}", f"WindowsSubSysProcessId = {NUMBER}",
    f"MuSessionId = {NUMBER}",
]
DV_LOAD = [
    f"pMuSessionId = {ADDRESS}", f"pWindowsSubSysProcessId = {ADDRESS}",
    f'InitialCommand = {ADDRESS} ""', f"Status = {SIGNED}", f"FileName = {UNICODE}",
    f"Win32kFileName = {UNICODE}", f"State = {ADDRESS}",
    rf"DelayTime = (?:{SIGNED}|\{{-?\d+\}})",
]
DX = [("dx -r1 ((smss!_SMAPIMSG *)ADDRESS)", SMAPIMSG, "exact"),
      ("dx -r1 (*((smss!__unnamed *)ADDRESS))", UNION, "exact"),
      ("dx -r1 (*((smss!_SMSTARTCSR *)ADDRESS))", STARTCSR, "exact")]
CHAIN = ["SmpExecuteImage", "SmpLoadSubSystem", "SmpExecuteCommand",
         "SmpLoadSubSystemsForMuSession", "SmpStartCsr", "SmpApiLoop"]

# Before the transcript begins: breakpoints, and going on to the first.
PREPARATION = [
    ("bp smss!SmpStartCsr", [], "exact"),
    ("bp smss!process_create", [], "exact"),
    ("g", ["Breakpoint 0 hit", "smss!SmpStartCsr:", INSTRUCTION], "exact"),
]
# (command, patterns of its lines, whether other lines may follow)
REPLAY = [
    ("kc", ["#", "00 smss!SmpStartCsr", "01 smss!SmpApiLoop"], "exact"),
    ("dv", DV_STARTCSR, "more"), *DX,
    ("dv", DV_STARTCSR, "more"), *DX,
    ("t", ["smss!SmpLoadSubSystemsForMuSession:", INSTRUCTION], "exact"),
    ("dv", DV_LOAD, "more"),
    ("gu", ["Breakpoint 1 hit", "smss!process_create:", INSTRUCTION], "exact"),
    ("kc", ["#", "00 smss!process_create"] +
     [f"{i + 1:02x} smss!{name}" for i, name in enumerate(CHAIN)], "exact"),
    ("dv", [], "more"),
    ("gu", [rf"smss!SmpExecuteImage\+0x{HEX}:", INSTRUCTION], "exact"),
    ("!process 0 0", [r"\*\*\*\* NT ACTIVE PROCESS DUMP \*\*\*\*"], "more"),
]
PROCESS = [
    rf"PROCESS {HEX} SessionId: (?P<session>none|\d+) Cid: (?P<cid>{HEX}) Peb: {HEX} "
    rf"ParentCid: (?P<parent>{HEX})",
    rf"DirBase: {HEX} ObjectTable: {HEX} HandleCount: (?P<handles>\d+|\?)\.",
    r"Image: (?P<image>\S+)",
]

mistakes = []


def wrong(text):
    mistakes.append(text)


def commands(path):
    """[(command, lines)], the commands without their addresses."""
    found = []
    with open(path, encoding="utf-8", errors="replace") as f:
        for line in f.read().splitlines():
            line = re.sub(r"\s+", " ", line.strip())
            if line.startswith("0: kd>"):
                found.append((re.sub(ADDRESS, "ADDRESS", line[6:].strip()), []))
            elif found and line:
                found[-1][1].append(line)
    return [(command, lines) for command, lines in found if command]


def check_lines(command, lines, patterns, rest):
    for i, pattern in enumerate(patterns):
        if i >= len(lines) or not re.fullmatch(pattern, lines[i]):
            wrong(f"{command}: line {i + 1} is "
                  f"'{lines[i] if i < len(lines) else ''}', not {pattern}")
            return
    if rest == "exact" and len(lines) > len(patterns):
        wrong(f"{command}: one line too many: '{lines[len(patterns)]}'")


def processes(lines):
    """The entries of the list, [{session, cid, parent, handles, image}]."""
    found = []
    lines = [x for x in lines if not x.startswith("****")]
    for i in range(0, len(lines) - 2, 3):
        entry = {}
        for pattern, line in zip(PROCESS, lines[i:i + 3]):
            match = re.fullmatch(pattern, line)
            if not match:
                wrong(f"!process 0 0: '{line}' is not {pattern}")
                return found
            entry.update(match.groupdict())
        found.append(entry)
    return found


def check_processes(entries, before):
    """One more than BEFORE: csrss of session 1, of smss, that has done nothing yet."""
    smss = [e for e in entries if e["image"] == "smss"]
    if len(smss) != 1 or smss[0]["session"] != "none":
        wrong(f"not one smss in no session: {smss}")
        return
    new = [e for e in entries if int(e["cid"], 16) not in before and e != smss[0]]
    if len(new) != 1:
        wrong(f"not one new process: {new}")
        return
    missing = before - {int(e["cid"], 16) for e in entries}
    if missing:
        wrong(f"not in the list: {missing}")
    expected = {"session": "1", "parent": smss[0]["cid"], "handles": "0", "image": "csrss"}
    for field, value in expected.items():
        if new[0][field] != value:
            wrong(f"the new process has {field} {new[0][field]}, not {value}")
    if entries[-1] != new[0]:
        wrong("the new process is not the last of the list")
    if [e for e in entries if e["session"] == "1" and e != new[0]]:
        wrong("session 1 has more than its csrss")
    if [e["image"] for e in entries if e["session"] == "0" and e["parent"] == smss[0]["cid"]] != \
            ["csrss", "winlogon"]:
        wrong("the console session is not csrss and winlogon, of smss")


# ---- against the transcript itself


def fields(command, lines):
    """What a line of COMMAND's answer has to have in common with the transcript's."""
    if command.startswith("dx"):
        # addresses in the head are each system's own; one member has garbage in the transcript
        return [re.sub(ADDRESS, "ADDRESS", x) if x.startswith("(") else
                re.sub(rf"(WindowsSubSysProcessId) : {ADDRESS}", r"\1", x)
                for x in lines if x.startswith(("(", "[+0x"))]
    if command == "dv":
        return [x.split(" = ")[0] for x in lines if " = " in x]
    if command == "kc":
        names = [x.split()[1] for x in lines if re.match(rf"{HEX} \S+!", x)]
        return [x for x in names if x.startswith("smss!Smp")]
    if command in ("t", "gu"):
        return [x for x in lines if x.startswith("smss!")]
    return []


def shape(line):
    """A line of the process list without its values."""
    return re.sub(r": ?\S+", ": X", re.sub(rf"^PROCESS {HEX}", "PROCESS X", line))


def compare(session, transcript):
    ours, theirs = [c for c, _ in session], [c for c, _ in transcript]
    if ours != theirs:
        wrong(f"the commands are not the transcript's: {ours} {theirs}")
        return
    for (command, lines), (_, original) in zip(session, transcript):
        if command == "!process 0 0":
            # the last line of the transcript is its author's
            expected = [shape(x) for x in original[:4]]
            if [shape(x) for x in lines[:4]] != expected:
                wrong(f"{command}: {lines[:4]} is not like {original[:4]}")
            continue
        expected, found = fields(command, original), fields(command, lines)
        if command == "dv":  # ours may have more, and where Windows' has no names for any
            found = found[:len(expected)]
        if command == "gu":  # stops in Windows' kernel are named otherwise
            continue
        if found != expected:
            wrong(f"{command}: {found} is not the transcript's {expected}")


def main():
    session = commands(sys.argv[1])
    with open(sys.argv[2], encoding="ascii") as f:
        before = {int(x) for x in f.read().split()}
    expected = PREPARATION + REPLAY
    if [c for c, _ in session] != [c for c, _, _ in expected]:
        wrong(f"the commands are {[c for c, _ in session]}")
    for (command, lines), (_, patterns, rest) in zip(session, expected):
        check_lines(command, lines, patterns, rest)
    if session and session[-1][0] == "!process 0 0":
        check_processes(processes(session[-1][1]), before)
    if os.path.exists(sys.argv[3]):
        compare(session[len(PREPARATION):], commands(sys.argv[3]))
    else:
        print("the transcript is not here: compared with what is known of it")
    for text in mistakes:
        print(text, file=sys.stderr)
    return 1 if mistakes else 0


sys.exit(main())
