"""What is typed into a machine that has no other ear yet: Packer's boot commands, as typed values.

::

    <enter> <esc> <f1> …      a key, pressed and let go; <leftCtrlOn> holds it, <leftCtrlOff> lets it go; <aOn>, <aOff>
    <wait> <wait5> <wait1m30s>  a pause: one second, five seconds, any duration
    <wait for "login:" 5m>    until that text shows on the serial console or on the screen; the limit may be left out
    <http> <httpip> <httpport>  where the build's own HTTP server is: address:port, address, port
    <name>                    the name of the build
    <sshpublickey>            the public half of an SSH key that is made for the build, as a line of authorized_keys
    <lt>                      the character <

Everything else is typed as it stands; a line break is Enter. What looks like a token and is none is an error.
"""

from packerpy.kit.boot_command.keys import Key, key_of
from packerpy.kit.boot_command.parse import Mistake, Parsed, parse, parse_steps
from packerpy.kit.boot_command.values import Action, Begin, Fill, Hold, Press, Release, TypeSecret, Wait, WaitFor

__all__ = [
    "Action",
    "Begin",
    "Fill",
    "Hold",
    "Key",
    "Mistake",
    "Parsed",
    "Press",
    "Release",
    "TypeSecret",
    "Wait",
    "WaitFor",
    "key_of",
    "parse",
    "parse_steps",
]
