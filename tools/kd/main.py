"""musess-kd's loop: gdb runs this with smss's process id in MUSESS_KD_PID."""

import os
import select
import signal
import sys
import threading

import gdb

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import target  # noqa: E402 (it is beside this file)
from commands import Commands  # noqa: E402

PROMPT = "0: kd> "


class Script:
    """Commands that no person types: read line by line, not further."""

    def __init__(self, wake):
        self.data, self.ended, self.wake = b"", False, wake

    def _read(self):
        if self.wake in select.select([0, self.wake], [], [])[0]:
            raise target.Leaving
        more = os.read(0, 4096)
        self.data += more
        self.ended = not more

    def line(self):
        while b"\n" not in self.data and not self.ended:
            self._read()
        if not self.data:
            raise EOFError
        line, _, self.data = self.data.partition(b"\n")
        return line.decode("utf-8", "replace")

    def is_over(self):
        """Whether it is known that nothing follows."""
        while not self.data and not self.ended and select.select([0], [], [], 0)[0]:
            self._read()
        return self.ended and not self.data.strip()


def say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def ask(script):
    if not script:
        return input(PROMPT)
    sys.stdout.write(PROMPT)
    sys.stdout.flush()
    line = script.line()
    say(line)
    return line


def leave_in_order(stops):
    """An end by SIGTERM or SIGHUP, too, first takes the breakpoints out of smss, which would
    end smss once it got to one. Returns a descriptor that can be read then."""
    wake, waker = os.pipe()
    ends = {signal.SIGTERM, signal.SIGHUP}
    main_thread = threading.get_ident()
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)

    def wait():
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        signal.sigwait(ends)
        stops.leaving = True
        os.close(waker)
        signal.pthread_kill(main_thread, signal.SIGINT)

    threading.Thread(target=wait, daemon=True).start()
    return wake


def loop(commands, script):
    while not commands.stops.leaving:
        try:
            line = ask(script).strip()
            if line == "g" and script and script.is_over():
                return  # nobody will be there when it stops
            lines = commands.run(line)
            if lines is None:
                return
            for text in lines:
                say(text)
        except EOFError:
            say("")
            return
        except KeyboardInterrupt:
            say("")
        except (target.Error, gdb.error) as error:
            say(str(error))


def main():
    pid = int(os.environ["MUSESS_KD_PID"])
    try:
        target.attach(pid)
    except target.Error as error:
        sys.stderr.write(f"musess-kd: {error}\n")
        target.detach()
        return 1
    try:
        commands = Commands(pid)
        wake = leave_in_order(commands.stops)
        loop(commands, None if os.isatty(0) else Script(wake))
    except target.Gone:
        say("smss has ended")
    except target.Leaving:
        pass
    finally:
        target.detach()
    return 0


gdb.execute(f"quit {main()}")
