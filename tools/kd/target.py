"""smss as the debugger sees it: attaching, its functions, its frames, where it stands."""

import contextlib
import os
import re
import sys

import gdb

MODULE = "smss"

# Where the first arguments are before a function's first instruction has run.
ARGUMENT_REGISTERS = {
    "i386:x86-64": ("rdi", "rsi", "rdx", "rcx", "r8", "r9"),
    "aarch64": ("x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7"),
}


class Error(Exception):
    """What is said to the user; nothing was changed."""


class Gone(Exception):
    """smss is no more."""


class Leaving(Exception):
    """Somebody ends the debugger."""


def attach(pid):
    for setting in ("pagination off", "confirm off", "disassembly-flavor intel",
                    "print inferior-events off", "print thread-events off",
                    "follow-fork-mode parent", "detach-on-fork on"):
        try:
            gdb.execute("set " + setting, to_string=True)
        except gdb.error:
            pass  # another processor has but one way to write its instructions
    try:
        gdb.execute(f"file /proc/{pid}/exe", to_string=True)
        with quiet():
            gdb.execute(f"attach {pid}", to_string=True)
    except gdb.error as error:
        hint = ""
        if "not permitted" in str(error):
            hint = ": run this as root, or as the service's own user"
            try:
                with open("/proc/sys/kernel/yama/ptrace_scope", encoding="ascii") as f:
                    if f.read().strip() != "0":
                        hint += " where the sysctl kernel.yama.ptrace_scope is 0"
            except OSError:
                pass
        raise Error(f"cannot debug process {pid}: {str(error).strip()}{hint}") from error
    if not function_address("SmpApiLoop"):
        raise Error("this musessd has no debug information: build it with "
                    "CMAKE_BUILD_TYPE=RelWithDebInfo, and do not strip it")
    # What goes on in smss is its own matter; a crash is shown first.
    gdb.execute("handle all nostop noprint pass", to_string=True)
    gdb.execute("handle SIGSEGV SIGBUS SIGILL SIGFPE SIGABRT stop print pass", to_string=True)
    gdb.execute("handle SIGINT stop print nopass", to_string=True)


def detach():
    if gdb.selected_inferior().pid:
        gdb.execute("detach", to_string=True)


def program():
    return gdb.current_progspace().filename


def function_symbol(name):
    for symbol in (gdb.lookup_global_symbol(name), gdb.lookup_static_symbol(name)):
        if symbol and symbol.is_function and symbol.symtab.objfile.filename == program():
            return symbol
    return None


def function_address(name):
    symbol = function_symbol(name)
    return int(symbol.value().address) if symbol else None


def chain_functions():
    """The functions that model Windows' own, and the creation of a process."""
    text = gdb.execute("info functions -q ^Smp", to_string=True)
    return sorted(set(re.findall(r"\b(Smp\w+)\(", text))) + ["process_create"]


def module_of(pc):
    library = gdb.solib_name(pc)
    if not library:
        return MODULE
    return re.sub(r"(-[0-9.]+)?\.so.*", "", os.path.basename(library))


def function_at(pc):
    """The function that PC is in, not one that was inlined there."""
    block = gdb.block_for_pc(pc)
    while block and (not block.function or inlined(block)):
        block = block.superblock
    return block.function if block else None


def inlined(block):
    """A function's own block is the outermost one with a name."""
    outer = block.superblock
    while outer:
        if outer.function:
            return True
        outer = outer.superblock
    return False


def symbol_at(pc):
    """As kd writes an address: module!function, or module!function+0x12."""
    function = function_at(pc)
    if function:
        name, offset = function.name, pc - int(function.value().address)
    else:
        text = gdb.execute(f"info symbol {pc:#x}", to_string=True)
        match = re.match(r"(\S+?)(?:@\S*)?(?: \+ (\d+))? in section", text)
        if not match:
            return f"{pc:#x}"
        name, offset = match.group(1), int(match.group(2) or 0)
    return f"{module_of(pc)}!{name}" + (f"+{offset:#x}" if offset else "")


def frames():
    """From the innermost on, without those of inlined functions."""
    frame = gdb.newest_frame()
    while frame and frame.is_valid():
        if frame.type() != gdb.INLINE_FRAME:
            yield frame
        frame = frame.older()


def frame_name(frame, offset=False):
    # the call is before the address that it returns to, which may be another function's
    called = frame != gdb.newest_frame()
    name, _, at = symbol_at(frame.pc() - called).partition("+")
    if "!" not in name:
        return f"{frame.pc():#x}"
    return f"{name}+{int(at or '0', 16) + called:#x}" if offset and (at or called) else name


def current():
    return next(frames())


def at_entry(frame):
    function = function_at(frame.pc())
    return bool(function) and int(function.value().address) == frame.pc()


def argument_register(frame, index):
    """The register of argument INDEX before the first instruction; None: it has none."""
    registers = ARGUMENT_REGISTERS.get(frame.architecture().name(), ())
    return frame.read_register(registers[index]) if index < len(registers) else None


def instruction_at(pc):
    """ADDRESS BYTES INSTRUCTION"""
    one = current().architecture().disassemble(pc)[0]
    code = gdb.selected_inferior().read_memory(pc, one["length"]).tobytes().hex()
    text = re.sub(r"\s+", " ", one["asm"].strip())
    text = re.sub(r"(?:0x)?([0-9a-f]+) <[^>]*>",
                  lambda m: f"{symbol_at(int(m.group(1), 16))} ({int(m.group(1), 16):08x})", text)
    return f"{pc:08x} {code} {text}"


def location():
    pc = current().pc()
    return f"{symbol_at(pc)}:\n{instruction_at(pc)}"


@contextlib.contextmanager
def quiet():
    """gdb tells of stops on its own, past every setting: not in kd's words."""
    sys.stdout.flush()
    gdb.flush()
    kept, null = os.dup(1), os.open("/dev/null", os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
    try:
        yield
    finally:
        gdb.flush()
        os.dup2(kept, 1)
        os.close(kept)


class Stops:
    """Breakpoints as kd numbers them, and running until one of them."""

    def __init__(self):
        self.breakpoints = {}  # number: (gdb.Breakpoint, what it was set on)
        self.event = None
        self.exited = None
        self.leaving = False
        gdb.events.stop.connect(self._stopped)
        gdb.events.exited.connect(self._exited)

    def _stopped(self, event):
        self.event = event

    def _exited(self, event):
        self.exited = event

    def add(self, address, name):
        for number, (breakpoint, _) in self.breakpoints.items():
            if breakpoint.location == f"*{address:#x}":
                raise Error(f"breakpoint {number} is there already")
        try:
            gdb.selected_inferior().read_memory(address, 1)
        except gdb.MemoryError:
            raise Error(f"there is nothing at {name}") from None
        number = 0
        while number in self.breakpoints:
            number += 1
        # silent: gdb's own way to say where it stopped is not kd's
        breakpoint = gdb.Breakpoint(f"*{address:#x}", internal=True)
        self.breakpoints[number] = (breakpoint, name)

    def remove(self, number):
        if number not in self.breakpoints:
            raise Error(f"there is no breakpoint {number}")
        self.breakpoints.pop(number)[0].delete()

    def run(self, until=(), above=None):
        """Goes on until a breakpoint, or an address of UNTIL, in a frame older than the stack
        pointer ABOVE where that is given. Returns what kd says of a stop, or ''."""
        temporary = []
        try:
            for address in until:
                breakpoint = gdb.Breakpoint(f"*{address:#x}", internal=True)
                if above is not None and address == until[-1]:
                    breakpoint.condition = f"(unsigned long)$sp > {above:#x}UL"
                temporary.append(breakpoint)
            return self._go()
        finally:
            for breakpoint in temporary:
                if breakpoint.is_valid():
                    breakpoint.delete()

    def _go(self):
        command = "continue"
        while True:
            self.event = None
            with quiet():
                gdb.execute(command, to_string=True)
            if self.exited:
                raise Gone(getattr(self.exited, "exit_code", None))
            if self.leaving:
                raise Leaving
            if isinstance(self.event, gdb.SignalEvent):
                if self.event.stop_signal != "SIGINT":
                    return f"{self.event.stop_signal} in smss"
                if not self._from_here():
                    command = "signal SIGINT"  # somebody ends the service
                    continue
                return "Break instruction exception - code 80000003 (first chance)"
            return self._hit()

    @staticmethod
    def _from_here():
        try:
            return int(gdb.parse_and_eval("$_siginfo._sifields._kill.si_pid")) == os.getpid()
        except gdb.error:
            return True

    def _hit(self):
        pc = current().pc()
        for number, (breakpoint, _) in sorted(self.breakpoints.items()):
            if breakpoint.location == f"*{pc:#x}":
                return f"Breakpoint {number} hit"
        return ""
