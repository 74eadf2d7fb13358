"""Runs a command in a pseudo-terminal of its own, for a test.

    in_terminal.py <columns> <rows> <command> [argument ...]

Each line of the input is a JSON object: {"write": text}, {"resize": [columns, rows]}, {"signal": number} for the command,
{"close": true} to close the terminal. Each line of the output is one: {"output": base64}, and at the end of the command
{"code": number, "signal": number, "restored": bool}: whether the settings of the terminal are those of the begin.
"""

import base64
import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios


def say(**message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def resize(fd, columns, rows):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def main():
    columns, rows, *command = sys.argv[1:]
    master, slave = pty.openpty()
    resize(slave, int(columns), int(rows))
    before = termios.tcgetattr(slave)
    child = os.fork()
    if child == 0:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for fd in (0, 1, 2):
            os.dup2(slave, fd)
        os.close(master)
        if slave > 2:
            os.close(slave)
        os.execvp(command[0], command)

    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGKILL))
    pending = b""
    open_fds = [master, 0]
    while True:
        ready, _, _ = select.select(open_fds, [], [], 0.05)
        if master in ready:
            try:
                data = os.read(master, 65536)
            except OSError:
                data = b""
            if data:
                say(output=base64.b64encode(data).decode())
            else:
                open_fds.remove(master)
        if 0 in ready:
            data = os.read(0, 65536)
            if not data:  # the test has ended
                os.kill(child, signal.SIGKILL)
                open_fds.remove(0)
            pending += data
            *lines, pending = pending.split(b"\n")
            for line in lines:
                message = json.loads(line)
                if "write" in message:
                    os.write(master, message["write"].encode())
                elif "resize" in message:
                    resize(master, *message["resize"])
                elif "signal" in message:
                    os.kill(child, message["signal"])
                elif "close" in message and master in open_fds:
                    open_fds.remove(master)
                    os.close(slave)
                    os.close(master)
                    slave = None
        if master in ready:
            continue
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended != 0:
            # The last output may have been written after the call of select.
            while master in open_fds and select.select([master], [], [], 0)[0]:
                say(output=base64.b64encode(os.read(master, 65536)).decode())
            code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
            number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
            restored = None if slave is None else termios.tcgetattr(slave) == before
            say(code=code, signal=number, restored=restored)
            return


main()
