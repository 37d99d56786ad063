"""One server process for each model and settings, shared by every refiner process of the user.

A user of the server holds a shared lock on its lease file, which the kernel gives back even for a killed process; the
server ends when it gets that lock alone. A second lock is held from before a server starts until it is ready or dead,
by the process that starts it and by the server itself. So none starts twice, and none ends under a user's feet.
"""

import fcntl
import hashlib
import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import anyio

from refiner.config.paths import made
from refiner.domain.errors import ProviderError, StoreError
from refiner.providers.local.settings import LocalSettings, cores

_LONGEST_SOCKET = 100
"""Bytes of a socket's path: the kernel takes 107."""
_POLL = 0.02
