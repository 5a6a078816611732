"""kd's expressions: casts to smss's types, and what gdb reads as C."""

import re

import gdb

from show import COMPOUND, UNNAMED
from target import Error, current

# ((smss!_SMAPIMSG *)0x30fea8), and dereferenced: (*((smss!_SMSTARTCSR *)0x30fec8))
CAST = re.compile(r"\(*(\*?)\s*\(*\s*\((?:smss!)?(\w+)\s*\*\s*\)\s*(0x[0-9a-fA-F`]+|[0-9]+)\s*\)*")


def lookup_type(name):
    if name == UNNAMED:
        # The one type of the SM API that has no name: what a message is about.
        return next(f.type for f in lookup_type("_SMAPIMSG").fields() if f.name == "u")
    for spelled in ("struct " + name, "union " + name, "enum " + name, name):
        try:
            type_ = gdb.lookup_type(spelled)
            if type_.code != gdb.TYPE_CODE_TYPEDEF or \
                    type_.strip_typedefs().code in COMPOUND + (gdb.TYPE_CODE_ENUM,
                                                               gdb.TYPE_CODE_INT):
                return type_
        except gdb.error:
            pass
    raise Error(f"Couldn't resolve type '{name}': smss has none of that name")


def evaluate(text):
    match = CAST.fullmatch(text.strip())
    if match and text.count("(") == text.count(")"):
        dereferenced, name, address = match.groups()
        pointer = gdb.Value(int(address.replace("`", ""), 0)).cast(lookup_type(name).pointer())
        return pointer.dereference() if dereferenced else pointer
    try:
        current().select()
        return gdb.parse_and_eval(re.sub(r"\bsmss!(_\w+)", r"struct \1", text)
                                  .replace("smss!", ""))
    except gdb.error as error:
        raise Error(f"Couldn't evaluate '{text}': {error}") from error
