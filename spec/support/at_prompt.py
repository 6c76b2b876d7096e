"""Runs a command on a terminal of its own: what stands on standard input is typed there, what is written there is
passed on, byte for byte. NUL, a number and a newline give the terminal so many columns.

usage: at_prompt.py COLUMNS COMMAND [ARGUMENT...]
"""
import fcntl
import os
import pty
import select
import struct
import sys
import termios


def resize(terminal, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(columns), 0, 0))


def type_in(terminal, data):
    while data:
        data = data[os.write(terminal, data):]


pid, terminal = pty.fork()
if pid == 0:
    resize(0, sys.argv[1])
    os.execvp(sys.argv[2], sys.argv[2:])
sources = [0, terminal]
while True:
    ready = select.select(sources, [], [])[0]
    if terminal in ready:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # how Linux says that nobody has it open any more
            break
        if not data:
            break
        os.write(1, data)
    if 0 in ready:
        data = os.read(0, 65536)
        if not data:
            sources = [terminal]
        while data.startswith(b"\0"):
            columns, _, data = data[1:].partition(b"\n")
            resize(terminal, columns)
        type_in(terminal, data)
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.exit(code if code >= 0 else 128 - code)
