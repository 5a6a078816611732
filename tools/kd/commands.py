"""kd's commands. Each takes its words and returns the lines to print."""

import difflib

import gdb

import expression
import processes
import show
import target
from target import Error

THREAD_BASE = "SmpApiLoop"  # what musess has below it is in Windows the loop itself


def number(word, base=10):
    try:
        return int(word.replace("0n", ""), base)
    except ValueError:
        raise Error(f"'{word}' is no number") from None


class Commands:
    def __init__(self, pid):
        self.pid = pid
        self.stops = target.Stops()
        self.named = {
            "bp": (self.bp, "bp smss!FUNCTION   stop there"),
            "bl": (self.bl, "bl                 the breakpoints"),
            "bc": (self.bc, "bc N | *           take one away, or all"),
            "g": (self.g, "g                  go on; Ctrl-C breaks in"),
            "gu": (self.gu, "gu                 go on until this function returns"),
            "t": (self.t, "t                  go on into the next function of the chain"),
            "k": (self.k, "k                  the whole stack"),
            "kc": (self.kc, "kc                 the stack, names alone, down to SmpApiLoop"),
            "dv": (self.dv, "dv                 parameters and locals"),
            "dx": (self.dx, "dx [-rN] EXPR      a value, N levels deep: ((smss!_SMAPIMSG *)0x...)"),
            "!process": (self.process, "!process 0 0       the processes; !process CID 0: one"),
            "!session": (self.session, "!session [N]       the sessions; session N"),
            "?": (self.help, "?                  this"),
            "q": (None, "q                  leave: smss goes on"),
        }

    def run(self, line):
        """The lines of LINE's answer, or None to leave."""
        words = line.split()
        if not words or words[0].startswith("*"):  # a comment
            return []
        if words[0] in ("q", "qd"):
            return None
        handler = self.named.get(words[0])
        if not handler:
            raise Error(f"^ Syntax error in '{line}'; ? lists the commands")
        return handler[0](words[1:])

    def help(self, _):
        return [text for _, text in self.named.values()]

    # ---- breakpoints

    def bp(self, words):
        if len(words) != 1:
            raise Error("bp needs a function: bp smss!SmpStartCsr")
        self.stops.add(*self.resolve(words[0]))
        return []

    @staticmethod
    def resolve(word):
        module, _, name = word.rpartition("!")
        if name[:1].isdigit():
            address = number(name.replace("`", ""), 0)
            return address, target.symbol_at(address)
        address = target.function_address(name)
        if module in ("", target.MODULE) and address:
            return address, f"{target.MODULE}!{name}"
        if module != target.MODULE:
            try:  # a library's
                address = int(gdb.parse_and_eval(f"(unsigned long)&'{name}'"))
                if module in ("", target.module_of(address)):
                    return address, target.symbol_at(address)
            except gdb.error:
                pass
        near = difflib.get_close_matches(name, target.chain_functions(), 1)
        hint = f"; is it {target.MODULE}!{near[0]}?" if near else ""
        raise Error(f"Couldn't resolve error at '{word}': there is no such function{hint}")

    def bl(self, _):
        return [f"{i} e {int(b.location[1:], 16):08x} 0001 (0001) {name}"
                for i, (b, name) in sorted(self.stops.breakpoints.items())]

    def bc(self, words):
        if not words:
            raise Error("bc needs the number of a breakpoint, or *")
        for word in words:
            for i in list(self.stops.breakpoints) if word == "*" else [number(word)]:
                self.stops.remove(i)
        return []

    # ---- running

    def stopped(self, said):
        return ([said] if said else []) + [target.location()]

    def g(self, _):
        return self.stopped(self.stops.run())

    @staticmethod
    def return_address():
        stack = target.frames()
        frame = next(stack)
        # gdb makes up frames of functions that ended with a jump
        caller = next((f for f in stack if f.type() != gdb.TAILCALL_FRAME), None)
        if not caller:
            raise Error("this function returns to nobody")
        return caller.pc(), int(frame.read_register("sp"))

    def gu(self, _):
        address, stack_pointer = self.return_address()
        return self.stopped(self.stops.run([address], stack_pointer))

    def t(self, _):
        """musess's own helpers are passed over, as the transcript's author did with p."""
        address, stack_pointer = self.return_address()
        chain = [target.function_address(name) for name in target.chain_functions()]
        here = target.current().pc()
        until = [a for a in chain if a and a != here] + [address]
        return self.stopped(self.stops.run(until, stack_pointer))

    # ---- looking

    def kc(self, _):
        lines = ["#"]
        for i, frame in enumerate(target.frames()):
            name = target.frame_name(frame)
            lines.append(f"{i:02x} {name}")
            if name == f"{target.MODULE}!{THREAD_BASE}":
                break
        return lines

    def k(self, _):
        return ["#"] + [f"{i:02x} {target.frame_name(frame, True)}"
                        for i, frame in enumerate(target.frames())]

    def dv(self, _):
        frame = target.current()
        frame.select()
        return show.show_variables(frame)

    def dx(self, words):
        depth = 1
        if words and words[0].startswith("-r"):
            depth = number(words[0][2:] or "1")
            words = words[1:]
        if not words:
            raise Error("dx needs an expression: dx -r1 ((smss!_SMAPIMSG *)0x30fea8)")
        text = " ".join(words)
        return show.show_expression(text, expression.evaluate(text), depth)

    def process(self, words):
        if len(words) != 2:
            raise Error("!process 0 0: all processes; !process CID 0: one")
        return processes.show_processes(self.pid, number(words[0], 16))

    def session(self, words):
        words = [w for w in words if w != "-s"]
        return processes.show_session(number(words[0]) if words else None, self.pid)
